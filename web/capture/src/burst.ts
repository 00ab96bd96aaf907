// A burst: frames of the face over a second and a half, in one file. The format is
// written down in docs/api.md; liveness.ParseBurst reads it.

/** Frames of a burst, and over how long they are spread. */
export const FRAMES = 10;
export const SPREAD_MS = 1500;
/** Longer side of a frame, px. */
const SIDE = 960;

export interface Frame { atMS: number; file: Uint8Array }

export function pack(frames: Frame[], nonce = new Uint8Array(0)): Uint8Array {
  const magic = new TextEncoder().encode('PLBURST1');
  const out = new Uint8Array(magic.length + 2 + nonce.length + frames.reduce((n, f) => n + 8 + f.file.length, 0));
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
    out.set(f.file, at + 8);
    at += 8 + f.file.length;
  }
  return out;
}

/** Takes a burst of the video, and its first frame as a picture to show. going says false when the view was left. */
export async function takeBurst(video: HTMLVideoElement, going: () => boolean): Promise<{ burst: Blob; preview: Blob }> {
  const k = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
  const c = document.createElement('canvas');
  c.width = Math.round(video.videoWidth * k);
  c.height = Math.round(video.videoHeight * k);
  const g = c.getContext('2d')!;
  const shots: { at: number; file: Promise<Blob | null> }[] = [];
  const began = performance.now();
  let shown = -1;
  try {
    // Up to twice the time: a slow camera shows the same frame again, and two
    // equal frames are no evidence.
    while (shots.length < FRAMES && performance.now() - began < 2 * SPREAD_MS && going()) {
      if (video.currentTime !== shown) {
        shown = video.currentTime;
        g.drawImage(video, 0, 0, c.width, c.height);
        shots.push({ at: performance.now(), file: new Promise((done) => c.toBlob(done, 'image/jpeg', 0.88)) });
        await shots[shots.length - 1]!.file; // the canvas is drawn over next
      }
      const next = began + (shots.length * SPREAD_MS) / (FRAMES - 1);
      await new Promise((r) => setTimeout(r, Math.max(15, next - performance.now())));
    }
    const frames: Frame[] = [];
    let preview: Blob | null = null;
    for (const s of shots) {
      const b = await s.file;
      if (!b) continue;
      preview ??= b;
      frames.push({ atMS: s.at, file: new Uint8Array(await b.arrayBuffer()) });
    }
    if (!preview || !going()) throw new Error('the browser gave no frames');
    return { burst: new Blob([pack(frames) as BlobPart], { type: 'application/octet-stream' }), preview };
  } finally {
    c.width = c.height = 0;
  }
}
