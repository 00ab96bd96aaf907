// One camera at a time: opened on request, stopped when the page is hidden or
// the view is left, so that the indicator light never lies.

export type CameraTrouble = 'denied' | 'none' | 'busy' | 'unsupported';

export class CameraError extends Error {
  constructor(readonly trouble: CameraTrouble) {
    super(trouble);
  }
}

export type Facing = 'environment' | 'user';

export class Camera {
  private constructor(readonly stream: MediaStream, readonly facing: Facing) {}

  static async open(facing: Facing): Promise<Camera> {
    if (!navigator.mediaDevices?.getUserMedia) throw new CameraError('unsupported');
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: {
          facingMode: { ideal: facing },
          // Fine print needs pixels: 2560 across a passport page is 20 px/mm.
          width: { ideal: facing === 'environment' ? 2560 : 1280 },
          height: { ideal: facing === 'environment' ? 1440 : 960 },
          // The sensor's own frame, not one that the browser cropped.
          resizeMode: { ideal: 'none' },
        } as MediaTrackConstraints,
      });
      return new Camera(stream, facing);
    } catch (e) {
      throw new CameraError(trouble(e));
    }
  }

  /** The lamp, where the browser offers it. */
  get hasTorch(): boolean {
    const t = this.stream.getVideoTracks()[0];
    const caps = t?.getCapabilities?.() as { torch?: boolean } | undefined;
    return caps?.torch === true;
  }

  async torch(on: boolean): Promise<void> {
    const t = this.stream.getVideoTracks()[0];
    await t?.applyConstraints({ advanced: [{ torch: on } as MediaTrackConstraintSet] });
  }

  /** The zoom, where the browser offers it. */
  get zoomRange(): { min: number; max: number; step: number; now: number } | null {
    const t = this.stream.getVideoTracks()[0];
    const caps = t?.getCapabilities?.() as { zoom?: { min: number; max: number; step: number } } | undefined;
    const now = (t?.getSettings?.() as { zoom?: number } | undefined)?.zoom;
    return caps?.zoom && caps.zoom.max > caps.zoom.min && now !== undefined ? { ...caps.zoom, now } : null;
  }

  async zoom(to: number): Promise<void> {
    const t = this.stream.getVideoTracks()[0];
    await t?.applyConstraints({ advanced: [{ zoom: to } as MediaTrackConstraintSet] });
  }

  /** f is called when the camera ends without being asked to. */
  onEnded(f: () => void): void {
    this.stream.getVideoTracks()[0]?.addEventListener('ended', f);
  }

  stop(): void {
    for (const t of this.stream.getTracks()) t.stop();
  }
}

function trouble(e: unknown): CameraTrouble {
  switch (e instanceof Error ? e.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    case 'TypeError':
      return 'unsupported';
    default:
      return 'none';
  }
}

/** True when there is more than one camera to choose from. */
export async function severalCameras(): Promise<boolean> {
  try {
    const all = await navigator.mediaDevices.enumerateDevices();
    return all.filter((d) => d.kind === 'videoinput').length > 1;
  } catch {
    return false;
  }
}

/** The video's current frame as a JPEG, whole and unmirrored. */
export async function takePhoto(video: HTMLVideoElement): Promise<Blob> {
  const c = document.createElement('canvas');
  c.width = video.videoWidth;
  c.height = video.videoHeight;
  c.getContext('2d')!.drawImage(video, 0, 0);
  try {
    return await photoOf(c);
  } finally {
    c.width = c.height = 0; // frees the pixels now, not at some collection
  }
}

/** A canvas as a JPEG. */
export async function photoOf(c: HTMLCanvasElement): Promise<Blob> {
  const b = await new Promise<Blob | null>((done) => c.toBlob(done, 'image/jpeg', 0.92));
  if (!b) throw new Error('the browser gave no photo');
  return b;
}

/**
 * A chosen file as it can be sent: as it is when it fits, else re-encoded
 * smaller. A file that the browser can not read is sent as it is, if it fits;
 * the server says what is wrong with it.
 */
export async function fitFile(f: Blob, maxBytes: number): Promise<Blob> {
  if (f.size <= maxBytes) return f;
  const bmp = await createImageBitmap(f);
  const k = Math.min(1, 4096 / Math.max(bmp.width, bmp.height));
  const c = document.createElement('canvas');
  c.width = Math.round(bmp.width * k);
  c.height = Math.round(bmp.height * k);
  c.getContext('2d')!.drawImage(bmp, 0, 0, c.width, c.height);
  bmp.close();
  const b = await new Promise<Blob | null>((done) => c.toBlob(done, 'image/jpeg', 0.9));
  c.width = c.height = 0;
  return b && b.size <= maxBytes ? b : f;
}
