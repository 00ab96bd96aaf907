// Faces in the live picture: a cascade of local binary patterns (Liao et al.,
// 2007; the data is OpenCV's lbpcascade_frontalface, BSD-3-Clause), enough
// to say where a face is. The server's detector has the last word.
import cascade from './face.cascade.json';
import type { Raster, Rect } from './raster';

type Stage = [threshold: number, weak: number[][]];
const { rects, size } = cascade;
const stages = cascade.stages as unknown as Stage[];
// The eight bitmaps of each weak classifier as unsigned words.
const words = stages.map(([, weak]) => weak.map((v) => Int32Array.from(v.slice(1, 9))));

/** Boxes of faces, largest first; in pixels of r. Sides from least to most are looked for. */
export function findFaces(r: Raster, least: number, most = Math.min(r.w, r.h)): Rect[] {
  const hits: Rect[] = [];
  for (let side = Math.max(size, least); side <= Math.min(most, r.w, r.h); side *= 1.16) {
    // The picture shrinks, so that the window of the cascade covers a side.
    const k = side / size;
    const w = Math.trunc(r.w / k);
    const h = Math.trunc(r.h / k);
    const stride = w + 1;
    const sums = integral(r, w, h);
    const corners = rects.map(([x, y, fw, fh]) => {
      const o = new Int32Array(16);
      for (let j = 0; j < 4; j++) for (let i = 0; i < 4; i++) o[j * 4 + i] = (y! + j * fh!) * stride + x! + i * fw!;
      return o;
    });
    for (let y = 0; y + size <= h; y++) {
      for (let x = 0; x + size <= w; x++) {
        if (passes(sums, corners, y * stride + x)) hits.push({ x: x * k, y: y * k, w: side, h: side });
      }
    }
  }
  return merge(hits);
}

/** The integral image of r reduced to w × h; each pixel is the mean of what it covers. */
function integral({ w: rw, h: rh, luma }: Raster, w: number, h: number): Int32Array {
  const sums = new Int32Array((w + 1) * (h + 1));
  for (let y = 0; y < h; y++) {
    const y0 = Math.trunc((y * rh) / h), y1 = Math.max(y0 + 1, Math.trunc(((y + 1) * rh) / h));
    let row = 0;
    for (let x = 0; x < w; x++) {
      const x0 = Math.trunc((x * rw) / w), x1 = Math.max(x0 + 1, Math.trunc(((x + 1) * rw) / w));
      let sum = 0;
      for (let v = y0; v < y1; v++) for (let u = x0; u < x1; u++) sum += luma[v * rw + u]!;
      row += Math.round(sum / ((y1 - y0) * (x1 - x0)));
      sums[(y + 1) * (w + 1) + x + 1] = sums[y * (w + 1) + x + 1]! + row;
    }
  }
  return sums;
}

function passes(s: Int32Array, corners: Int32Array[], at: number): boolean {
  for (let i = 0; i < stages.length; i++) {
    const [threshold, weak] = stages[i]!;
    let sum = 0;
    for (let j = 0; j < weak.length; j++) {
      const v = weak[j]!;
      const o = corners[v[0]!]!;
      const a = s[at + o[0]!]!, b = s[at + o[1]!]!, c = s[at + o[2]!]!, d = s[at + o[3]!]!;
      const e = s[at + o[4]!]!, f = s[at + o[5]!]!, g = s[at + o[6]!]!, h = s[at + o[7]!]!;
      const k = s[at + o[8]!]!, l = s[at + o[9]!]!, m = s[at + o[10]!]!, n = s[at + o[11]!]!;
      const p = s[at + o[12]!]!, q = s[at + o[13]!]!, t = s[at + o[14]!]!, u = s[at + o[15]!]!;
      // Nine cells of a 4 × 4 grid of sums, the middle one against its ring.
      const mid = f - g - l + m;
      const code = (a - b - e + f >= mid ? 128 : 0) | (b - c - f + g >= mid ? 64 : 0) | (c - d - g + h >= mid ? 32 : 0)
        | (g - h - m + n >= mid ? 16 : 0) | (m - n - t + u >= mid ? 8 : 0) | (l - m - q + t >= mid ? 4 : 0)
        | (k - l - p + q >= mid ? 2 : 0) | (e - f - k + l >= mid ? 1 : 0);
      sum += words[i]![j]![code >> 5]! & (1 << (code & 31)) ? v[9]! : v[10]!;
    }
    if (sum < threshold) return false;
  }
  return true;
}

/** Overlapping hits are one face; a lone hit is none. */
function merge(hits: Rect[]): Rect[] {
  const groups: { x: number; y: number; w: number; n: number }[] = [];
  for (const b of hits) {
    const g = groups.find((o) => {
      const side = o.w / o.n;
      return Math.abs(o.x / o.n - b.x) < 0.3 * side && Math.abs(o.y / o.n - b.y) < 0.3 * side && b.w < side * 1.5 && side < b.w * 1.5;
    });
    if (g) {
      g.x += b.x;
      g.y += b.y;
      g.w += b.w;
      g.n++;
    } else groups.push({ x: b.x, y: b.y, w: b.w, n: 1 });
  }
  return groups.filter((g) => g.n >= 4)
    .map((g) => ({ x: g.x / g.n, y: g.y / g.n, w: g.w / g.n, h: g.w / g.n }))
    .filter((b, i, all) => !all.some((o, j) => j !== i && o.w > b.w && b.x > o.x - 2 && b.y > o.y - 2 && b.x + b.w < o.x + o.w + 2 && b.y + b.h < o.y + o.h + 2))
    .sort((a, b) => b.w - a.w);
}

/**
 * How far apart the eyes are, as a part of a box's side: the median of 18 selfies of
 * 6 specimen people (0.33 to 0.42).
 */
export const EYES = 0.385;
