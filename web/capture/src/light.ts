// Lights the face with the screen while a burst is taken: dark and bright in an
// order drawn anew each time. liveness/light.go measures how the face follows.

/** How long each step stands, at least. Two and a half changes a second: fewer
 * than the three flashes that WCAG 2.3.1 allows, which are two changes each. */
export const STEP_MS = 400;
const STEPS = 6;
/** A camera's picture is late, so frames just after a change say nothing. */
const SETTLE_MS = 180;
/** The byte of a frame whose light is not known. */
export const UNKNOWN = 255;
/** How long a lit burst takes, and with how many frames. */
export const LIT_MS = STEPS * STEP_MS;
export const LIT_FRAMES = 18;

/** Three steps of each, and not one after the other: a drift of the room would look the same. */
export function drawOrder(random: () => number = secret): boolean[] {
  for (;;) {
    const order = [true, true, true, false, false, false];
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    if (order.slice(1).filter((v, i) => v !== order[i]).length > 1) return order;
  }
}

function secret(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
}

/** The order in time. show is called with each change; a late call never makes the next one come sooner. */
export class Lamp {
  private step = 0;
  private since: number;
  private changed: number;

  constructor(private readonly order: boolean[], private readonly show: (bright: boolean) => void, now: number) {
    this.since = this.changed = now;
    show(order[0]!);
  }

  tick(now: number): void {
    if (now - this.since < STEP_MS || this.step === this.order.length - 1) return;
    const before = this.order[this.step++];
    this.since = now;
    if (this.order[this.step] === before) return;
    this.changed = now;
    this.show(!before);
  }

  /** The light on a frame taken at a time, as the file has it. */
  light(now: number): number {
    if (now - this.changed < SETTLE_MS) return UNKNOWN;
    return this.order[this.step] ? 100 : 0;
  }
}

/** A lamp over the stage; null for who asked for less motion. */
export function lampOver(stage: HTMLElement): { lamp: Lamp; off: () => void } | null {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return null;
  return {
    lamp: new Lamp(drawOrder(), (bright) => { stage.dataset['light'] = bright ? 'bright' : 'dark'; }, performance.now()),
    off: () => { delete stage.dataset['light']; },
  };
}
