// Reflections, as quality.findGlare finds them: areas burnt to white that fade
// softly into a darker surface. White paper ends sharply or has dark ink on it,
// and a hologram's colours leave a channel unclipped.
import type { Raster } from './raster';
import { quantile } from './raster';

const CLIPPED = 249;
const INK = 70;
const REACH = 3;
const MOST_PRINT = 0.03;

// OpenCV's elliptic structuring element of 5 × 5: single pixels above and below
// three full rows.
const element = [[-2, 0], [2, 0]].concat([-1, 0, 1].flatMap((y) => [-2, -1, 0, 1, 2].map((x) => [y, x])));

function morph(m: Uint8Array, w: number, h: number, grow: boolean): Uint8Array {
  const out = new Uint8Array(w * h);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      let v = grow ? 0 : 1;
      for (const [dy, dx] of element) {
        const yy = y + dy!;
        const xx = x + dx!;
        if (yy < 0 || xx < 0 || yy >= h || xx >= w) continue; // the border takes no side
        if (m[yy * w + xx] === (grow ? 1 : 0)) {
          v = grow ? 1 : 0;
          break;
        }
      }
      out[y * w + x] = v;
    }
  }
  return out;
}

export interface Glare {
  /** Share covered by reflections. */
  area: number;
  /** Share of burnt pixels that are none. */
  bright: number;
}

export function measureGlare(r: Raster): Glare {
  const { w, h, rgba } = r;
  let burnt: Uint8Array = new Uint8Array(w * h);
  let hot = 0;
  for (let i = 0, p = 0; i < burnt.length; i++, p += 4) {
    if (rgba[p]! >= CLIPPED && rgba[p + 1]! >= CLIPPED && rgba[p + 2]! >= CLIPPED) {
      burnt[i] = 1;
      hot++;
    }
  }
  const bright = hot / (w * h);
  if (hot < 25) return { area: 0, bright };
  burnt = morph(morph(burnt, w, h, false), w, h, true); // open
  burnt = morph(morph(burnt, w, h, true), w, h, false); // close
  const label = new Int32Array(w * h);
  const stack: number[] = [];
  const least = Math.max(60, Math.trunc((w * h) / 2000));
  let sum = 0;
  let c = 0;
  for (let start = 0; start < burnt.length; start++) {
    if (!burnt[start] || label[start]) continue;
    label[start] = ++c;
    stack.push(start);
    let area = 0;
    let x0 = w, y0 = h, x1 = 0, y1 = 0;
    while (stack.length) {
      const i = stack.pop()!;
      area++;
      const y = Math.trunc(i / w);
      const x = i - y * w;
      x0 = Math.min(x0, x);
      x1 = Math.max(x1, x + 1);
      y0 = Math.min(y0, y);
      y1 = Math.max(y1, y + 1);
      for (let yy = Math.max(0, y - 1); yy <= Math.min(h - 1, y + 1); yy++) {
        for (let xx = Math.max(0, x - 1); xx <= Math.min(w - 1, x + 1); xx++) {
          const k = yy * w + xx;
          if (burnt[k] && !label[k]) {
            label[k] = c;
            stack.push(k);
          }
        }
      }
    }
    const box = { x0, y0, x1, y1 };
    if (area >= least && inked(r, label, c, box) <= 0.08 && fades(r, label, c, box)) sum += area;
  }
  const area = sum / (w * h);
  return { area, bright: Math.max(0, bright - area) };
}

interface Box { x0: number; y0: number; x1: number; y1: number }

/** The part of the outline that meets something dark within three pixels. */
function inked({ w, h, luma }: Raster, label: Int32Array, c: number, b: Box): number {
  let outline = 0;
  let dark = 0;
  for (let y = Math.max(b.y0, REACH); y < Math.min(b.y1, h - REACH); y++) {
    for (let x = Math.max(b.x0, REACH); x < Math.min(b.x1, w - REACH); x++) {
      const i = y * w + x;
      if (label[i] !== c) continue;
      for (const step of [-1, 1, -w, w]) {
        if (label[i + step] === c) continue;
        outline++;
        if (luma[i + REACH * step]! < INK) dark++;
      }
    }
  }
  return dark / Math.max(1, outline);
}

/** Whether the brightness falls gradually, in most of 32 directions, to a clearly darker surface. */
function fades({ w, h, luma }: Raster, label: Int32Array, c: number, b: Box): boolean {
  const reach = Math.max(24, Math.trunc(w / 9));
  let cx = 0;
  let cy = 0;
  let n = 0;
  for (let y = b.y0; y < b.y1; y += 2) {
    for (let x = b.x0; x < b.x1; x += 2) {
      if (label[y * w + x] === c) {
        cx += x;
        cy += y;
        n++;
      }
    }
  }
  if (n === 0) return false;
  cx /= n;
  cy /= n;
  let soft = 0;
  let hard = 0;
  let white = 0;
  let rays = 0;
  let ink = 0;
  let around = 0;
  for (let k = 0; k < 32; k++) {
    const cos = Math.cos((2 * Math.PI * k) / 32);
    const sin = Math.sin((2 * Math.PI * k) / 32);
    const at = (t: number): number => {
      const x = Math.trunc(cx + t * cos);
      const y = Math.trunc(cy + t * sin);
      return x < 0 || y < 0 || x >= w || y >= h ? -1 : y * w + x;
    };
    let last = -1;
    for (let t = 0; t < b.x1 - b.x0 + b.y1 - b.y0; t++) {
      const i = at(t);
      if (i < 0) break;
      if (label[i] === c) last = t;
    }
    if (last < 0) continue;
    const near: number[] = [];
    const far: number[] = [];
    for (let t = 1; t <= reach; t++) {
      const i = at(last + t);
      if (i < 0) break;
      if (t <= reach / 4) {
        around++;
        if (luma[i]! < 120) ink++;
      }
      if (t <= reach / 8) near.push(luma[i]!);
      else if (t > reach / 2) far.push(luma[i]!);
    }
    if (near.length < 3 || far.length < 6) continue;
    rays++;
    const a = quantile(near, 0.7);
    const f = quantile(far, 0.7);
    if (a > 222 && a - f > 8) soft++;
    else if (a <= 222) hard++;
    else if (f > 242) white++;
  }
  // Almost white paper says nothing; what tells a reflection from paper that is
  // exposed too long is that it washes the print around it out.
  const told = rays - white;
  if (white >= told && ink > MOST_PRINT * around) return false;
  return rays >= 6 && told >= 4 && soft * 2 > told && soft > hard;
}
