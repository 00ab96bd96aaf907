import assert from 'node:assert/strict';
import test from 'node:test';
import { cutOff, findDocument, tilt, width } from '../src/find.ts';
import { findFaces } from '../src/face.ts';
import { raster } from '../src/raster.ts';

const W = 300;
const H = 220;

/** A sheet with print on it, seen at the given corners, on a textured table. */
function scene(corners, paper = 190, table = 90) {
  let x = 99;
  const next = () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
  const rgba = new Uint8ClampedArray(W * H * 4).fill(255);
  const inside = (px, py) => corners?.every((a, i) => {
    const b = corners[(i + 1) % 4];
    return (b.x - a.x) * (py - a.y) - (b.y - a.y) * (px - a.x) >= 0;
  });
  for (let py = 0; py < H; py++) {
    for (let px = 0; px < W; px++) {
      let v = table + (next() % 9) + 12 * Math.sin(py / 9);
      if (inside(px, py)) v = py % 14 < 5 && (px * 7 + py) % 5 < 3 && px % 90 > 20 ? 60 : paper + (next() % 7);
      for (let c = 0; c < 3; c++) rgba[4 * (py * W + px) + c] = v;
    }
  }
  return raster(rgba, W, H);
}

const frame = { x: 40, y: 40, w: 220, h: 140 };
const at = (x, y, w, h, turn = 0) => {
  const c = Math.cos(turn), s = Math.sin(turn);
  return [[-w / 2, -h / 2], [w / 2, -h / 2], [w / 2, h / 2], [-w / 2, h / 2]].map(([a, b]) => ({ x: x + a * c - b * s, y: y + a * s + b * c }));
};

test('a sheet in the frame is found where it is', () => {
  for (const q of [at(150, 110, 214, 136), at(153, 107, 206, 130, 0.03), at(148, 112, 226, 144, -0.04), at(150, 110, 190, 121, 0.02)]) {
    const found = findDocument(scene(q), frame);
    assert.ok(found, JSON.stringify(q));
    found.forEach((p, i) => assert.ok(Math.hypot(p.x - q[i].x, p.y - q[i].y) < 6, `corner ${i}: ${JSON.stringify(p)} for ${JSON.stringify(q[i])}`));
  }
});
test('an empty table shows no document', () => assert.equal(findDocument(scene(null), frame), null));
test('a sheet far off the frame is not in it', () => {
  assert.equal(findDocument(scene(at(60, 60, 100, 60)), frame), null);
  assert.equal(findDocument(scene(at(150, 110, 90, 60)), frame), null);
});
test('a picture of noise shows no document and no face', () => {
  const rgba = new Uint8ClampedArray(W * H * 4);
  let x = 5;
  for (let i = 0; i < rgba.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    rgba[i] = x & 255;
  }
  const r = raster(rgba, W, H);
  assert.equal(findDocument(r, frame), null);
  assert.deepEqual(findFaces(r, 40), []);
});
test('sides outside the picture are counted', () => {
  assert.equal(cutOff(at(150, 110, 200, 130), W, H), 0);
  assert.equal(cutOff(at(150, 110, 320, 130), W, H), 2);
});
test('a sheet seen straight on has no tilt', () => {
  assert.ok(tilt(at(500, 375, 800, 500), 1000, 750) < 0.1);
  assert.ok(Math.abs(width(at(500, 375, 800, 500)) - 800) < 1e-6);
});
