import assert from 'node:assert/strict';
import test from 'node:test';
import { advice, documentLimits, measure, sharpness } from '../src/measure.ts';

const W = 256;
const H = 160;

/** A page with lines of small dark marks on grey paper. */
function page(paper = 190, ink = 40) {
  const data = new Uint8Array(W * H).fill(paper);
  let seed = 7;
  for (let y = 12; y < H - 12; y += 10) {
    for (let x = 12; x < W - 12; x += 3) {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      if ((seed >> 8) % 5 < 2) for (let dy = 0; dy < 6; dy++) data.fill(ink, (y + dy) * W + x, (y + dy) * W + x + 3);
    }
  }
  return { data, width: W, height: H };
}

function noisy(f, sigma) {
  let seed = 3;
  const next = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff - 0.5;
  return { ...f, data: f.data.map((v) => Math.min(255, Math.max(0, v + sigma * 2 * (next() + next() + next())))) };
}

/** A nearly Gaussian blur: passes of a 3×3 mean. */
function blur(f, passes) {
  for (let i = 0; i < passes; i++) f = mean(f, 1);
  return f;
}

function mean(f, radius) {
  const out = new Uint8Array(W * H);
  for (let y = 0; y < H; y++) {
    for (let x = 0; x < W; x++) {
      let sum = 0;
      let n = 0;
      for (let dy = -radius; dy <= radius; dy++) {
        for (let dx = -radius; dx <= radius; dx++) {
          const v = f.data[Math.min(H - 1, Math.max(0, y + dy)) * W + Math.min(W - 1, Math.max(0, x + dx))];
          sum += v;
          n++;
        }
      }
      out[y * W + x] = sum / n;
    }
  }
  return { data: out, width: W, height: H };
}

const judge = (f, previous = null) => advice(measure(f, previous), sharpness(f), documentLimits);

test('a sharp, evenly lit page needs no advice', () => assert.equal(judge(page(), page()), null));
test('a dark page asks for light', () => assert.equal(judge(page(40, 5)), 'capture.too_dark'));
test('a burnt-out page asks for less light', () => assert.equal(judge(page(255, 200)), 'capture.too_bright'));
test('an empty wall has too little contrast', () =>
  assert.equal(judge({ data: new Uint8Array(W * H).fill(150), width: W, height: H }), 'capture.contrast_low'));
test('a blurred page asks to wait for the focus', () => assert.equal(judge(blur(page(220, 20), 24)), 'capture.blurred'));
test('a moving page asks to hold still', () => {
  const f = page();
  const moved = { ...f, data: f.data.map((_, i) => f.data[(i + 5 * W + 3) % (W * H)]) };
  assert.equal(judge(f, moved), 'capture.motion_blur');
});
test('a bright spot is glare', () => {
  const f = page();
  for (let y = 40; y < 80; y++) for (let x = 100; x < 150; x++) f.data[y * W + x] = 255;
  assert.equal(judge(f, f), 'capture.glare');
});
test('white paper that is not burnt out is no glare', () => assert.equal(judge(page(235, 60)), null));
test('the same page at half the brightness is as sharp', () => {
  const a = sharpness(page(200, 40));
  const b = sharpness(page(100, 20));
  assert.ok(Math.abs(a - b) < 0.1 * a, `${a} ${b}`);
});
test('sharpness falls with every step of blur, with and without noise', () => {
  for (const sigma of [0, 6]) {
    const steps = [0, 4, 9, 16].map((r) => sharpness(noisy(blur(page(220, 20), r), sigma)) ?? 0);
    for (let i = 1; i < steps.length; i++) assert.ok(steps[i] < steps[i - 1], String(steps));
  }
});
test('an empty tile says nothing of focus', () =>
  assert.equal(sharpness({ data: new Uint8Array(W * H).fill(150), width: W, height: H }), null));
