// The loop that looks at the live picture about ten times a second and says
// the one thing to change. An advice has to hold for a few looks before it is
// said, so that the words do not flicker.
import type { Advice, Luma } from './measure';
import { advice, documentLimits, luma, measure, selfieLimits, sharpness } from './measure';
import type { Box } from './overlay';

const EVERY_MS = 100;
const STEADY = 4; // looks in a row
const SIDE = 256; // pixels of the longer side of the overview
const TILE = 224; // side of the tile in the camera's own pixels that tells the focus

// Centres of the tiles, as fractions of the frame.
const spots = [[0.5, 0.5], [0.3, 0.65], [0.7, 0.4], [0.5, 0.8]] as const;

export class Advisor {
  private readonly canvas = document.createElement('canvas');
  private previous: Luma | null = null;
  private readonly sharp: (number | null)[] = [];
  private last: Advice | null | undefined;
  private count = 0;
  private looks = 0;
  private readonly started = performance.now();
  private timer: ReturnType<typeof setTimeout>;

  /** tell gets a reason code, or null when all is well. */
  constructor(
    private readonly video: HTMLVideoElement,
    private readonly selfie: boolean,
    private readonly frame: () => Box,
    private readonly tell: (code: Advice | null) => void,
  ) {
    this.timer = setTimeout(this.look, EVERY_MS);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.canvas.width = this.canvas.height = 0;
  }

  /** Looks per second so far. */
  get rate(): number {
    return (this.looks * 1000) / (performance.now() - this.started);
  }

  private readonly look = (): void => {
    const began = performance.now();
    const f = this.frame();
    const { videoWidth: vw, videoHeight: vh } = this.video;
    if (vw > 0 && f.w > 0) {
      const sw = vw * f.w;
      const sh = vh * f.h;
      const k = SIDE / Math.max(sw, sh);
      const now = this.pixels(vw * f.x, vh * f.y, sw, sh, Math.max(8, Math.round(sw * k)), Math.max(8, Math.round(sh * k)));
      // The tile wanders over the middle of the frame, so that one empty
      // patch does not hide what the others tell.
      const [tx, ty] = spots[this.looks % spots.length]!;
      const tw = Math.min(TILE, Math.floor(sw));
      const th = Math.min(TILE, Math.floor(sh));
      const tile = this.pixels(
        Math.round(vw * f.x + sw * tx - tw / 2), Math.round(vh * f.y + sh * ty - th / 2), tw, th, tw, th);
      if (now && tile) {
        this.sharp[this.looks % spots.length] = sharpness(tile);
        const m = measure(now, this.previous);
        this.previous = now;
        this.looks++;
        const told = this.sharp.filter((v): v is number => v !== null);
        this.settle(advice(m, told.length ? Math.max(...told) : null, this.selfie ? selfieLimits : documentLimits));
      }
    }
    this.timer = setTimeout(this.look, Math.max(0, EVERY_MS - (performance.now() - began)));
  };

  private pixels(x: number, y: number, w: number, h: number, toW: number, toH: number): Luma | null {
    this.canvas.width = toW;
    this.canvas.height = toH;
    const g = this.canvas.getContext('2d', { willReadFrequently: true });
    if (!g) return null;
    g.drawImage(this.video, x, y, w, h, 0, 0, toW, toH);
    return luma(g.getImageData(0, 0, toW, toH).data, toW, toH);
  }

  private settle(code: Advice | null): void {
    if (code === this.last) this.count++;
    else {
      this.last = code;
      this.count = 1;
    }
    if (this.count === STEADY) this.tell(code);
  }
}
