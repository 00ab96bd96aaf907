// A burst: frames of the face over a second and a half, in one file. The format is
// written down in docs/api.md; liveness.ParseBurst reads it.

import { LIT_FRAMES, LIT_MS } from './light';
import type { Lamp } from './light';

/** Frames of a burst, and over how long they are spread. */
export const FRAMES = 10;
export const SPREAD_MS = 1500;
/** Longer side of a frame, px. */
const SIDE = 960;

/** light: that of the screen on the frame, 0 to 100, or 255 when not known; absent when the screen was no lamp. */
export interface Frame { atMS: number; file: Uint8Array; light?: number }

export function pack(frames: Frame[], nonce = new Uint8Array(0)): Uint8Array {
  const lit = frames.some((f) => f.light !== undefined);
  const magic = new TextEncoder().encode(lit ? 'PLBURST2' : 'PLBURST1');
  const head = lit ? 9 : 8;
  const out = new Uint8Array(magic.length + 2 + nonce.length + frames.reduce((n, f) => n + head + f.file.length, 0));
  const view = new DataView(out.buffer);
  out.set(magic);
  let at = magic.length;
  out[at++] = nonce.length;
  out.set(nonce, at);
  at += nonce.length;
  out[at++] = frames.length;
  for (const f of frames) {
    view.setUint32(at, Math.round((f.atMS - frames[0]!.atMS) * 1000));
    view.setUint32(at + 4, f.file.length);
    if (lit) out[at + 8] = f.light ?? 255;
    out.set(f.file, at + head);
    at += head + f.file.length;
  }
  return out;
}

/** Takes a burst of the video, and its first frame as a picture to show. going says false when the view was left; lamp lights the face meanwhile. */
export async function takeBurst(video: HTMLVideoElement, going: () => boolean, lamp?: Lamp): Promise<{ burst: Blob; preview: Blob }> {
  const count = lamp ? LIT_FRAMES : FRAMES;
  const spread = lamp ? LIT_MS : SPREAD_MS;
  const k = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
  const c = document.createElement('canvas');
  c.width = Math.round(video.videoWidth * k);
  c.height = Math.round(video.videoHeight * k);
  const g = c.getContext('2d')!;
  const shots: { at: number; light: number | undefined; file: Promise<Blob | null> }[] = [];
  const began = performance.now();
  let shown = -1;
  try {
    // Up to twice the time: a slow camera shows the same frame again, and two
    // equal frames are no evidence.
    while (shots.length < count && performance.now() - began < 2 * spread && going()) {
      lamp?.tick(performance.now());
      if (video.currentTime !== shown) {
        shown = video.currentTime;
        g.drawImage(video, 0, 0, c.width, c.height);
        const at = performance.now();
        shots.push({ at, light: lamp?.light(at), file: new Promise((done) => c.toBlob(done, 'image/jpeg', 0.88)) });
        await shots[shots.length - 1]!.file; // the canvas is drawn over next
      }
      const next = began + (shots.length * spread) / (count - 1);
      await new Promise((r) => setTimeout(r, Math.max(15, next - performance.now())));
    }
    const frames: Frame[] = [];
    let preview: Blob | null = null;
    for (const s of shots) {
      const b = await s.file;
      if (!b) continue;
      preview ??= b;
      frames.push({ atMS: s.at, light: s.light, file: new Uint8Array(await b.arrayBuffer()) });
    }
    if (!preview || !going()) throw new Error('the browser gave no frames');
    return { burst: new Blob([pack(frames) as BlobPart], { type: 'application/octet-stream' }), preview };
  } finally {
    c.width = c.height = 0;
  }
}
