// Photos on their way. One that waits for the network goes on in the background
// while the next is taken; it lives in memory only and is freed once answered.
import type { API, DocumentType, Kind, UploadAnswer } from './api';
import { Problem } from './api';
import type { Waiting } from './tus';
import { upload } from './tus';

export class Sending {
  fraction = 0;
  waiting: Waiting | null = null;
  answer: UploadAnswer | null = null;
  problem: Problem | null = null;
  private stop = new AbortController();
  private changed: () => void = () => undefined;

  constructor(
    private readonly api: API, readonly kind: Kind, readonly type: DocumentType, readonly photo: Blob, readonly insist: boolean,
    /** What to show of it, when it is no picture itself. */
    readonly preview: Blob = photo,
  ) {
    this.start();
  }

  get done(): boolean { return this.answer !== null || this.problem !== null; }

  /** f is called at every change, by the one that shows it now. */
  watch(f: () => void): void { this.changed = f; }

  /** Tries again what ended with a problem, e.g. after a new link was opened. */
  again(): void {
    this.problem = null;
    this.stop = new AbortController();
    this.start();
  }

  drop(): void { this.stop.abort(); }

  private start(): void {
    const stop = this.stop.signal;
    upload(this.api, { kind: this.kind, type: this.type, photo: this.photo, insist: this.insist }, {
      progress: (f) => {
        this.fraction = f;
        this.changed();
      },
      waiting: (w) => {
        this.waiting = w;
        this.changed();
      },
    }, stop).then((a) => {
      this.answer = a;
      this.changed();
    }, (e: unknown) => {
      if (stop.aborted) return;
      this.problem = e instanceof Problem ? e : new Problem(0, 'page', String(e));
      this.changed();
    });
  }
}

const sendings = new Map<Kind, Sending>();

export const outbox = {
  get: (k: Kind): Sending | undefined => sendings.get(k),
  has: (k: Kind): boolean => sendings.has(k),
  all: (): Sending[] => [...sendings.values()],
  put(s: Sending): void {
    sendings.get(s.kind)?.drop();
    sendings.set(s.kind, s);
  },
  remove(k: Kind): void {
    sendings.get(k)?.drop();
    sendings.delete(k);
  },
  clear(): void {
    for (const s of sendings.values()) s.drop();
    sendings.clear();
  },
};

// A photo that is still on its way would be lost: ask before the page goes.
window.addEventListener('beforeunload', (e) => {
  if (outbox.all().some((s) => !s.done)) e.preventDefault();
});
