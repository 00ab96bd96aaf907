// Where the document lies in the live picture: the four sides near the frame that
// is drawn over it. A side is a long straight edge; the outermost one counts,
// because print makes straight lines too.
import type { Raster } from './raster';

export interface Point { x: number; y: number }
/** Corners in pixels of the picture handed in: top left first, clockwise. */
export type Quad = [Point, Point, Point, Point];

const SAMPLES = 48; // along each side
const STEEP = 12; // grey levels that make an edge
const TILTS = 17; // directions tried, ±TURN
const TURN = 0.12; // rad

interface Line { at: number; slope: number; score: number }

/**
 * frame is where the document should be, in pixels of r. Returns its corners, or
 * null when fewer than four sides are seen.
 */
export function findDocument(r: Raster, frame: { x: number; y: number; w: number; h: number }): Quad | null {
  const { x, y, w, h } = frame;
  // How far outside and inside of the frame each side is looked for.
  const out = 0.14 * h;
  const into = 0.2 * h;
  // along, across: a side runs in one and is looked for in the other.
  const side = (vertical: boolean, position: number, sign: number): Line | null => {
    const from = (vertical ? y : x) + 0.08 * (vertical ? h : w);
    const to = (vertical ? y + h : x + w) - 0.08 * (vertical ? h : w);
    const limit = vertical ? r.w : r.h;
    const lo = Math.max(2, Math.round(position - (sign < 0 ? out : into)));
    const hi = Math.min(limit - 3, Math.round(position + (sign < 0 ? into : out)));
    if (hi - lo < 6) return null;
    const pixel = (a: number, c: number): number => (vertical ? r.luma[a * r.w + c]! : r.luma[c * r.w + a]!);
    const crests: [number, number][] = []; // along, across
    let seen = 0;
    for (let i = 0; i < SAMPLES; i++) {
      const a = Math.round(from + ((to - from) * (i + 0.5)) / SAMPLES);
      if (a < 1 || a >= (vertical ? r.h : r.w) - 1) continue;
      seen++;
      let before = 0;
      let last = 0;
      for (let c = lo; c <= hi; c++) {
        const g = Math.abs(
          pixel(a - 1, c + 1) + pixel(a, c + 1) + pixel(a + 1, c + 1) + pixel(a, c + 2)
          - pixel(a - 1, c - 1) - pixel(a, c - 1) - pixel(a + 1, c - 1) - pixel(a, c - 2)) / 4;
        if (last >= STEEP && last >= before && last > g) crests.push([a, c - 1]);
        before = last;
        last = g;
      }
    }
    if (seen < SAMPLES * 0.8) return null;
    // In a busy texture every line passes near some edge: a side must stand out
    // from what chance gives.
    const chance = Math.min(1, ((crests.length / seen) * 3) / (hi - lo + 1));
    const least = Math.max(0.6, chance + 0.25);
    // Votes for lines across = at + slope × (along − middle).
    const middle = (from + to) / 2;
    let best: Line | null = null;
    const found: Line[] = [];
    const bins = hi - lo + 1 + 40;
    for (let k = 0; k < TILTS; k++) {
      const slope = Math.tan(((k - (TILTS - 1) / 2) / ((TILTS - 1) / 2)) * TURN);
      const votes = new Float32Array(bins + 2);
      const once = new Int32Array(bins + 2).fill(-1);
      for (const [a, c] of crests) {
        const b = Math.round(c - slope * (a - middle)) - lo + 20;
        for (const d of [-1, 0, 1]) {
          const bin = b + d;
          if (bin >= 0 && bin < bins && once[bin] !== a) {
            once[bin] = a;
            votes[bin]! += 1;
          }
        }
      }
      for (let b = 0; b < bins; b++) {
        if (votes[b]! >= seen * least) {
          const l = { at: b + lo - 20, slope, score: votes[b]! / seen };
          found.push(l);
          if (!best || l.score > best.score) best = l;
        }
      }
    }
    if (!best) return null;
    // The outermost among those about as good as the best.
    const top = best.score;
    for (const l of found) {
      if (l.score >= top * 0.8 && (l.at - best.at) * sign > 2) best = l;
    }
    return best;
  };
  const left = side(true, x, -1);
  const right = side(true, x + w, 1);
  const top = side(false, y, -1);
  const bottom = side(false, y + h, 1);
  if (!left || !right || !top || !bottom) return null;
  const my = y + h / 2;
  const mx = x + w / 2;
  // x = v.at + v.slope (y − my), y = u.at + u.slope (x − mx)
  const cross = (v: Line, u: Line): Point => {
    const yy = (u.at + u.slope * (v.at - v.slope * my - mx)) / (1 - u.slope * v.slope);
    return { x: v.at + v.slope * (yy - my), y: yy };
  };
  return [cross(left, top), cross(right, top), cross(right, bottom), cross(left, bottom)];
}

/** Length of the longer pair of sides, px. */
export function width(q: Quad): number {
  return (Math.hypot(q[1].x - q[0].x, q[1].y - q[0].y) + Math.hypot(q[2].x - q[3].x, q[2].y - q[3].y)) / 2;
}

/** Sides that leave the picture: document.cut_off. */
export function cutOff(q: Quad, w: number, h: number): number {
  const out = (p: Point, s: number): boolean => (s === 0 ? p.y < 0 : s === 1 ? p.x > w : s === 2 ? p.y > h : p.x < 0);
  let n = 0;
  for (let s = 0; s < 4; s++) if (out(q[s]!, s) || out(q[(s + 1) % 4]!, s)) n++;
  return n;
}

/**
 * Degrees between the sheet's normal and the line of sight, for a phone's main
 * camera: document.perspective_deg, as quality.tilt has it.
 */
export function tilt(q: Quad, w: number, h: number): number | null {
  const f = 0.72 * Math.max(w, h);
  const p = q.map((c) => ({ x: (c.x - w / 2) / f, y: (c.y - h / 2) / f })) as Quad;
  const sx = p[0].x - p[1].x + p[2].x - p[3].x;
  const sy = p[0].y - p[1].y + p[2].y - p[3].y;
  const dx1 = p[1].x - p[2].x, dx2 = p[3].x - p[2].x, dy1 = p[1].y - p[2].y, dy2 = p[3].y - p[2].y;
  const det = dx1 * dy2 - dx2 * dy1;
  if (Math.abs(det) < 1e-12) return null;
  const g = (sx * dy2 - dx2 * sy) / det;
  const k = (dx1 * sy - sx * dy1) / det;
  const a = [p[1].x - p[0].x + g * p[1].x, p[1].y - p[0].y + g * p[1].y, g] as const;
  const b = [p[3].x - p[0].x + k * p[3].x, p[3].y - p[0].y + k * p[3].y, k] as const;
  const n = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]] as const;
  const cx = (p[0].x + p[1].x + p[2].x + p[3].x) / 4;
  const cy = (p[0].y + p[1].y + p[2].y + p[3].y) / 4;
  const ln = Math.hypot(n[0], n[1], n[2]) * Math.hypot(cx, cy, 1);
  if (ln < 1e-12) return null;
  return (Math.acos(Math.min(1, Math.abs(n[0] * cx + n[1] * cy + n[2]) / ln)) * 180) / Math.PI;
}
