// What the live picture can be told about before it is taken. Pure functions
// over 8-bit luminance: no thresholds, no browser. They are coarse on purpose;
// the server's gate measures the photo itself and has the last word.

export interface Luma { data: Uint8Array; width: number; height: number }

/** ITU-R BT.601 luma of RGBA pixels. */
export function luma(rgba: Uint8ClampedArray, width: number, height: number): Luma {
  const data = new Uint8Array(width * height);
  for (let i = 0, p = 0; i < data.length; i++, p += 4) {
    data[i] = (rgba[p]! * 299 + rgba[p + 1]! * 587 + rgba[p + 2]! * 114) / 1000;
  }
  return { data, width, height };
}

export interface Live {
  /** Mean luminance, 0-255. */
  mean: number;
  /** Share of pixels at 250 or more, 0-1. */
  burnt: number;
  /** Share of the area in cells that are burnt out while their surroundings are not, 0-1. */
  glare: number;
  /** Standard deviation of luminance, 0-127: low when there is nothing to see. */
  contrast: number;
  /** Mean absolute change since the previous frame, 0-255; 0 without one. */
  motion: number;
}

export function measure(f: Luma, previous: Luma | null): Live {
  const { data } = f;
  const n = data.length;
  let sum = 0;
  let squares = 0;
  let burnt = 0;
  for (let i = 0; i < n; i++) {
    const v = data[i]!;
    sum += v;
    squares += v * v;
    if (v >= 250) burnt++;
  }
  const mean = sum / n;
  const variance = Math.max(0, squares / n - mean * mean);

  let motion = 0;
  if (previous && previous.data.length === n) {
    for (let i = 0; i < n; i++) motion += Math.abs(data[i]! - previous.data[i]!);
    motion /= n;
  }
  return {
    mean,
    burnt: burnt / n,
    glare: glare(f),
    contrast: Math.sqrt(variance),
    motion,
  };
}

/**
 * How steep the steepest edges of a tile are, at the camera's own resolution:
 * the change over two pixels as a part of the contrast within ±8 px, at the
 * 90th percentile of where there is an edge. A crisp edge gives about 0.6, a
 * Gaussian blur of s px about 0.8/s, whatever the contrast, and noise that is
 * small against the contrast changes little. Rows are averaged in threes
 * against noise. null when the tile has too few edges to tell.
 */
export function sharpness({ data, width, height }: Luma): number | null {
  const row = new Float32Array(width);
  const slopes: number[] = [];
  for (let y = 1; y + 1 < height; y += 3) {
    const at = y * width;
    for (let x = 0; x < width; x++) row[x] = (data[at - width + x]! + data[at + x]! + data[at + width + x]!) / 3;
    for (let x = REACH; x + REACH < width; x++) {
      let low = row[x]!;
      let high = low;
      for (let i = x - REACH; i <= x + REACH; i++) {
        const v = row[i]!;
        if (v < low) low = v;
        else if (v > high) high = v;
      }
      if (high - low >= EDGE) slopes.push(Math.abs(row[x + 1]! - row[x - 1]!) / (high - low));
    }
  }
  if (slopes.length < 150) return null;
  slopes.sort((a, b) => a - b);
  return slopes[Math.floor(slopes.length * 0.9)]!;
}

const REACH = 8; // px to either side that contrast is taken from
const EDGE = 40; // grey levels that make an edge

const CELL = 8;

/**
 * A reflection is a burnt-out spot in a picture that is not burnt out: cells
 * of 8×8 px with two thirds of their pixels at 250 or more count, unless most
 * of the picture is that bright (then it is over-exposed, another advice).
 */
function glare({ data, width, height }: Luma): number {
  const cols = Math.floor(width / CELL);
  const rows = Math.floor(height / CELL);
  let cells = 0;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      let hot = 0;
      for (let y = r * CELL; y < (r + 1) * CELL; y++) {
        for (let x = c * CELL; x < (c + 1) * CELL; x++) if (data[y * width + x]! >= 250) hot++;
      }
      if (hot * 3 >= CELL * CELL * 2) cells++;
    }
  }
  const share = cells / Math.max(1, cols * rows);
  return share > 0.4 ? 0 : share;
}

export type Advice =
  | 'capture.too_dark' | 'capture.too_bright' | 'capture.contrast_low'
  | 'capture.motion_blur' | 'capture.glare' | 'capture.blurred';

/** The limits of the live advice. The server's are in its policy file. */
export interface Limits { dark: number; burnt: number; glare: number; sharpness: number; contrast: number; motion: number }

export const documentLimits: Limits = { dark: 55, burnt: 0.4, glare: 0.008, sharpness: 0.3, contrast: 14, motion: 14 };
export const selfieLimits: Limits = { dark: 50, burnt: 0.5, glare: 0.2, sharpness: 0.12, contrast: 12, motion: 22 };

/**
 * The one reason code that matters most now, or null when all is well. sharp
 * is what sharpness said of a tile, null when it could not tell.
 */
export function advice(m: Live, sharp: number | null, l: Limits): Advice | null {
  if (m.mean < l.dark) return 'capture.too_dark';
  if (m.burnt > l.burnt) return 'capture.too_bright';
  if (m.contrast < l.contrast) return 'capture.contrast_low';
  if (m.motion > l.motion) return 'capture.motion_blur';
  if (m.glare > l.glare) return 'capture.glare';
  if (sharp !== null && sharp < l.sharpness) return 'capture.blurred';
  return null;
}
