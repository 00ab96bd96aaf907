// A small picture as the measures want it, the same as in package quality: RGB
// as the camera gave it, and its luminance in OpenCV's integers, so that both
// sides measure the same bytes. No thresholds and no browser here.

export interface Raster {
  w: number;
  h: number;
  /** RGBA, four bytes a pixel. */
  rgba: Uint8ClampedArray;
  luma: Uint8Array;
}

export function raster(rgba: Uint8ClampedArray, w: number, h: number): Raster {
  const luma = new Uint8Array(w * h);
  for (let i = 0, p = 0; i < luma.length; i++, p += 4) {
    luma[i] = (rgba[p]! * 9798 + rgba[p + 1]! * 19235 + rgba[p + 2]! * 3735 + 16384) >> 15;
  }
  return { w, h, rgba, luma };
}

export interface Rect { x: number; y: number; w: number; h: number }

/** Counts the luminance of every step-th row of a part. */
export function histogram(r: Raster, x0 = 0, y0 = 0, x1 = r.w, y1 = r.h, step = 1): { count: Int32Array; n: number } {
  const count = new Int32Array(256);
  for (let y = y0; y < y1; y += step) {
    for (let i = y * r.w + x0, end = y * r.w + x1; i < end; i++) count[r.luma[i]!]!++;
  }
  return { count, n: Math.max(0, x1 - x0) * Math.max(0, Math.ceil((y1 - y0) / step)) };
}

export function percentile(h: { count: Int32Array; n: number }, p: number): number {
  const want = Math.trunc(p * h.n);
  let sum = 0;
  for (let v = 0; v < 256; v++) {
    sum += h.count[v]!;
    if (sum > want) return v;
  }
  return 255;
}

/** Calls f with each of nx × ny tiles. */
export function tiles(r: Raster, nx: number, ny: number, f: (x0: number, y0: number, x1: number, y1: number) => void): void {
  for (let j = 0; j < ny; j++) {
    for (let i = 0; i < nx; i++) {
      f(Math.trunc((i * r.w) / nx), Math.trunc((j * r.h) / ny), Math.trunc(((i + 1) * r.w) / nx), Math.trunc(((j + 1) * r.h) / ny));
    }
  }
}

export function quantile(v: number[], q: number): number {
  if (v.length === 0) return 0;
  v.sort((a, b) => a - b);
  return v[Math.min(v.length - 1, Math.trunc(q * v.length))]!;
}

/** One minus the brightest tenth: document.exposure_dark, photo.exposure_dark. */
export function dark(r: Raster): number {
  return 1 - percentile(histogram(r), 0.9) / 255;
}

/** Print against paper, over 12 × 8 tiles: document.contrast. */
export function contrast(r: Raster): number {
  const v: number[] = [];
  tiles(r, 12, 8, (x0, y0, x1, y1) => {
    const h = histogram(r, x0, y0, x1, y1);
    if (h.n === 0) return;
    const lo = percentile(h, 0.02);
    const hi = percentile(h, 0.9);
    v.push((hi - lo) / Math.max(1, hi + lo));
  });
  v.sort((a, b) => a - b);
  return v[Math.trunc((v.length * 3) / 4)] ?? 0;
}

/** Share of small tiles that hold nothing: photo.blank. */
export function blank(r: Raster): number {
  const nx = 40;
  const ny = Math.max(1, Math.trunc((nx * r.h) / r.w));
  let flat = 0;
  let all = 0;
  tiles(r, nx, Math.min(ny, 80), (x0, y0, x1, y1) => {
    const h = histogram(r, x0, y0, x1, y1, 2);
    if (h.n < 4) return;
    all++;
    if (percentile(h, 0.98) - percentile(h, 0.02) < 6) flat++;
  });
  return flat / Math.max(1, all);
}

/** Share of the inner part's pixels at most 25, and at least 247: face.under_exposure, face.over_exposure. */
export function faceExposure(r: Raster): { under: number; over: number } {
  const h = histogram(r, Math.trunc(r.w / 8), Math.trunc(r.h / 8), Math.trunc((r.w * 7) / 8), Math.trunc((r.h * 7) / 8));
  let under = 0;
  let over = 0;
  for (let v = 0; v <= 25; v++) under += h.count[v]!;
  for (let v = 247; v < 256; v++) over += h.count[v]!;
  const n = Math.max(1, h.n);
  return { under: under / n, over: over / n };
}
