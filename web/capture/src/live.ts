// The loop that looks at the live picture about ten times a second and says
// the one thing to change. An advice has to hold for a few looks before it is
// said, so that the words do not flicker.
import type { Luma } from './measure';
import { advice, documentLimits, luma, measure, selfieLimits } from './measure';
import type { Box } from './overlay';

const EVERY_MS = 100;
const STEADY = 4; // looks in a row
const SIDE = 256; // pixels of the longer side that is looked at

export class Advisor {
  private readonly canvas = document.createElement('canvas');
  private previous: Luma | null = null;
  private last: string | null | undefined;
  private count = 0;
  private looks = 0;
  private readonly started = performance.now();
  private timer: ReturnType<typeof setTimeout>;

  /** tell gets a reason code, null when all is well, or 'wait' at first. */
  constructor(
    private readonly video: HTMLVideoElement,
    private readonly selfie: boolean,
    private readonly frame: () => Box,
    private readonly tell: (code: string | null | 'wait') => void,
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
      const w = Math.max(8, Math.round(sw * k));
      const h = Math.max(8, Math.round(sh * k));
      this.canvas.width = w;
      this.canvas.height = h;
      const g = this.canvas.getContext('2d', { willReadFrequently: true });
      if (g) {
        g.drawImage(this.video, vw * f.x, vh * f.y, sw, sh, 0, 0, w, h);
        const now = luma(g.getImageData(0, 0, w, h).data, w, h);
        const m = measure(now, this.previous);
        this.previous = now;
        this.looks++;
        this.settle(advice(m, this.selfie ? selfieLimits : documentLimits));
      }
    }
    this.timer = setTimeout(this.look, Math.max(0, EVERY_MS - (performance.now() - began)));
  };

  private settle(code: string | null): void {
    if (code === this.last) this.count++;
    else {
      this.last = code;
      this.count = 1;
    }
    if (this.count === STEADY) this.tell(code);
  }
}
