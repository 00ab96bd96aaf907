// Blur at edges, from how much steeper they are than the same edges blurred once
// more (Zhuo and Sim, 2011): the same estimate as quality.measureBlur, on the same
// steps of the raster.
import type { Raster } from './raster';
import { quantile } from './raster';

const REBLUR = 1.2; // px, standard deviation

export interface Blur {
  /** Standard deviation that the edges look blurred by, px; 0 without edges. */
  sigma: number;
  /** Widest direction over narrowest: motion. */
  ratio: number;
  edges: number;
}

/** OpenCV's kernel for an 8-bit picture: nine taps in 256ths, what rounding leaves carried on. */
const kernel = ((): number[] => {
  const k: number[] = [];
  for (let i = -4; i <= 4; i++) k.push(Math.exp((-i * i) / (2 * REBLUR * REBLUR)));
  const sum = k.reduce((a, b) => a + b, 0);
  const out: number[] = [];
  let carry = 0;
  let left = 256;
  for (let i = 0; i < 4; i++) {
    const want = (k[i]! / sum) * 256 + carry;
    out.push(Math.round(want));
    carry = want - out[i]!;
    left -= 2 * out[i]!;
  }
  return [left, out[3]!, out[2]!, out[1]!, out[0]!]; // from the middle outward
})();

/** cv::GaussianBlur with its integers, so that both sides see the same edges. */
function blurred(p: Uint8Array, w: number, h: number): Uint8Array {
  const [k0, k1, k2, k3, k4] = kernel as [number, number, number, number, number];
  const rows = new Uint16Array(w * h);
  const line = new Uint8Array(w + 8);
  for (let y = 0; y < h; y++) {
    const at = y * w;
    line.set(p.subarray(at, at + w), 4);
    line.fill(p[at]!, 0, 4);
    line.fill(p[at + w - 1]!, w + 4);
    for (let x = 0; x < w; x++) {
      rows[at + x] = k0 * line[x + 4]! + k1 * (line[x + 3]! + line[x + 5]!) + k2 * (line[x + 2]! + line[x + 6]!)
        + k3 * (line[x + 1]! + line[x + 7]!) + k4 * (line[x]! + line[x + 8]!);
    }
  }
  const out = new Uint8Array(w * h);
  const row = (y: number): number => Math.min(h - 1, Math.max(0, y)) * w;
  for (let y = 0; y < h; y++) {
    const a = row(y - 4), b = row(y - 3), c = row(y - 2), d = row(y - 1), e = row(y), f = row(y + 1), g = row(y + 2), i = row(y + 3), j = row(y + 4);
    for (let x = 0; x < w; x++) {
      out[y * w + x] = (k0 * rows[e + x]! + k1 * (rows[d + x]! + rows[f + x]!) + k2 * (rows[c + x]! + rows[g + x]!)
        + k3 * (rows[b + x]! + rows[i + x]!) + k4 * (rows[a + x]! + rows[j + x]!) + 32768) >> 16;
    }
  }
  return out;
}

/** nx × ny are the tiles whose median counts: 8 × 6 over a whole document. */
export function measureBlur({ w, h, luma: p }: Raster, nx = 8, ny = 6): Blur {
  const s = blurred(p, w, h);
  const grad = (q: Uint8Array, i: number): number => {
    const dx = q[i + 1]! - q[i - 1]!;
    const dy = q[i + w]! - q[i - w]!;
    return dx * dx + dy * dy;
  };
  // Edges clearly above the noise, taken as the median gradient.
  const hist = new Int32Array(512);
  let n = 0;
  for (let y = 2; y < h - 2; y += 2) {
    for (let x = 2; x < w - 2; x += 2) {
      const i = y * w + x;
      hist[Math.min(511, Math.abs(p[i + 1]! - p[i - 1]!) + Math.abs(p[i + w]! - p[i - w]!))]!++;
      n++;
    }
  }
  let median = 0;
  for (let v = 0, sum = 0; v < 512; v++) {
    sum += hist[v]!;
    if (2 * sum >= n) {
      median = v;
      break;
    }
  }
  const floor = Math.max(14, 4 * median);
  const tile: number[][] = Array.from({ length: nx * ny }, () => []);
  const direction: number[][] = [[], [], [], []];
  for (let y = 2; y < h - 2; y++) {
    for (let x = 2; x < w - 2; x++) {
      const i = y * w + x;
      const dx = p[i + 1]! - p[i - 1]!;
      const dy = p[i + w]! - p[i - w]!;
      const ax = Math.abs(dx);
      const ay = Math.abs(dy);
      if (ax + ay < floor) continue;
      let step: number;
      let d: number;
      if (5 * ay < 2 * ax) [step, d] = [1, 0];
      else if (5 * ax < 2 * ay) [step, d] = [w, 2];
      else if (dx > 0 === dy > 0) [step, d] = [w + 1, 1];
      else [step, d] = [w - 1, 3];
      // The crest of the gradient along its direction.
      const m = dx * dx + dy * dy;
      if (m < grad(p, i - step) || m <= grad(p, i + step)) continue;
      const m2 = grad(s, i);
      if (m2 === 0) continue;
      const ratio = m / m2; // squared already
      const sigma = ratio > 1.04 ? Math.min(6, REBLUR / Math.sqrt(ratio - 1)) : 6;
      const t = tile[Math.trunc((y * ny) / h) * nx + Math.trunc((x * nx) / w)]!;
      if (t.length < 4000) t.push(sigma);
      const e = direction[d]!;
      if (e.length < 20000) e.push(sigma);
    }
  }
  let edges = 0;
  const best: number[] = [];
  for (const t of tile) {
    edges += t.length;
    if (t.length >= 25) best.push(quantile(t, 0.3));
  }
  if (best.length === 0) return { sigma: 0, ratio: 1, edges };
  let sigma = quantile(best, 0.5);
  let lo = Infinity;
  let hi = 0;
  for (const d of direction) {
    if (d.length < 60) continue;
    const v = Math.max(0.3, quantile(d, 0.3));
    lo = Math.min(lo, v);
    hi = Math.max(hi, v);
  }
  let ratio = 1;
  if (hi > 0) {
    ratio = hi / lo;
    sigma = Math.max(sigma, hi); // print needs detail in every direction
  }
  return { sigma, ratio, edges };
}

/** The finest detail at half contrast (MTF50), cycles per unit of perUnit pixels. */
export function resolved(sigma: number, perUnit: number): number {
  return sigma <= 0 ? 0 : Math.min(0.1874 / sigma, 0.5) * perUnit;
}
