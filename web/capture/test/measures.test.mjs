// The page's measures against the gate's: vectors.json holds what package quality
// measured on pictures that both languages make by the same recipe
// (web/vectors_test.go).
import assert from 'node:assert/strict';
import test from 'node:test';
import { measureBlur, resolved } from '../src/blur.ts';
import { failed, foremost } from '../src/checks.ts';
import { tilt } from '../src/find.ts';
import { measureGlare } from '../src/glare.ts';
import { blank, contrast, dark, raster } from '../src/raster.ts';
import vectors from './vectors.json';

const W = 400;
const H = 282;

export function picture(c) {
  let x = c.Seed;
  const next = () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
  let luma = new Int32Array(W * H).fill(c.Paper);
  for (let y = 12; y < H - 12; y += 12) {
    for (let xx = 12; xx < W - 12; xx += 4) {
      if (next() % 5 < 2) for (let dy = 0; dy < 7; dy++) luma.fill(c.Ink, (y + dy) * W + xx, (y + dy) * W + xx + 3);
    }
  }
  const mean = (rx, ry) => {
    const out = new Int32Array(W * H);
    const n = (2 * rx + 1) * (2 * ry + 1);
    for (let y = 0; y < H; y++) {
      for (let xx = 0; xx < W; xx++) {
        let sum = 0;
        for (let dy = -ry; dy <= ry; dy++) {
          for (let dx = -rx; dx <= rx; dx++) sum += luma[Math.min(Math.max(y + dy, 0), H - 1) * W + Math.min(Math.max(xx + dx, 0), W - 1)];
        }
        out[y * W + xx] = Math.trunc(sum / n);
      }
    }
    luma = out;
  };
  for (let i = 0; i < c.Blur; i++) mean(1, 1);
  if (c.Motion > 0) mean(c.Motion, 0);
  const rgba = new Uint8ClampedArray(W * H * 4);
  for (let i = 0; i < W * H; i++) {
    let v = Math.trunc((luma[i] * c.Light) / 16);
    if (c.Noise > 0) v += (next() % c.Noise) - Math.trunc(c.Noise / 2);
    let add = 0;
    if (c.R > 0) {
      const dx = (i % W) - c.GlareX;
      const dy = Math.trunc(i / W) - c.GlareY;
      add = Math.max(0, 400 - Math.trunc(((dx * dx + dy * dy) * 400) / (c.R * c.R)));
    }
    [16, 15, 14].forEach((k, j) => { rgba[4 * i + j] = Math.min(Math.max(Math.trunc((v * k) / 16) + add, 0), 255); });
    rgba[4 * i + 3] = 255;
  }
  return raster(rgba, W, H);
}

function digest({ rgba }) {
  let h = 0x811c9dc5;
  for (let i = 0; i < rgba.length; i++) if (i % 4 !== 3) h = Math.imul(h ^ rgba[i], 0x01000193) >>> 0;
  return h;
}

const quad = [{ x: 100, y: 80 }, { x: 900, y: 120 }, { x: 880, y: 640 }, { x: 90, y: 600 }];

function measured(r) {
  const b = measureBlur(r);
  const g = measureGlare(r);
  return {
    'document.sharpness': resolved(b.sigma, 8),
    'document.motion': b.edges > 0 ? b.ratio : undefined,
    'document.exposure_dark': dark(r),
    'document.exposure_bright': g.bright,
    'document.contrast': contrast(r),
    'document.glare_area': g.area,
    'document.perspective_deg': tilt(quad, 1000, 750),
    'document.resolution_dpi': 8 * 25.4,
    'photo.blank': blank(r),
    'photo.exposure_dark': dark(r),
    'photo.sharpness': resolved(b.sigma, W),
  };
}

// All but quantiles and logarithms is integers on both sides.
const tolerance = { 'document.glare_area': 0.005 };

for (const v of vectors) {
  test(`${v.recipe.Name}: the page measures what the gate measures`, () => {
    const r = picture(v.recipe);
    assert.equal(digest(r), v.digest, 'another picture');
    const m = measured(r);
    for (const [name, want] of Object.entries(v.measures)) {
      const got = m[name];
      const slack = (tolerance[name] ?? 0.002) * Math.max(0.02, Math.abs(want));
      assert.ok(Math.abs(got - want) <= slack, `${name} ${got}, the gate has ${want}`);
    }
  });
}

test('the gate’s thresholds decide, in the catalogue’s order', () => {
  const checks = [
    { kind: 'selfie', measure: 'photo.blank', max: 0.1, code: 'capture.blank' },
    { kind: 'document_front', measure: 'document.sharpness', min: 1.3, code: 'capture.blurred' },
    { kind: 'document_front', measure: 'document.glare_area', max: 0.03, code: 'capture.glare' },
  ];
  const order = ['capture.blank', 'capture.blurred', 'capture.glare'];
  const of = (m) => foremost(failed(checks, 'document_front', m), order);
  assert.equal(of({ 'document.sharpness': 1.3, 'document.glare_area': 0.03, 'photo.blank': 1 }), null);
  assert.equal(of({ 'document.sharpness': 1.29, 'document.glare_area': 0.031 }), 'capture.blurred');
  assert.equal(of({ 'document.glare_area': 0.031 }), 'capture.glare');
  assert.equal(of({ 'document.glare_area': NaN }), null);
});

test('sharpness falls with blur', () => {
  const base = { Seed: 7, Paper: 200, Ink: 40, Light: 16, Motion: 0, GlareX: 0, GlareY: 0, R: 0, Noise: 0 };
  const steps = [0, 3, 5].map((Blur) => resolved(measureBlur(picture({ ...base, Blur })).sigma, 8));
  for (let i = 1; i < steps.length; i++) assert.ok(steps[i] < steps[i - 1], String(steps));
});
