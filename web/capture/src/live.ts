// The loop that looks at the live picture, says the one thing to change, and takes
// the photo by itself once everything was good for a while. It measures what the
// gate will measure, against the gate's thresholds; only framing and movement
// between two looks are the page's own business.
import type { DocumentType, Kind } from './api';
import { isFace } from './api';
import { measureBlur, resolved } from './blur';
import type { LiveCheck, Measures } from './checks';
import { failed, foremost } from './checks';
import { EYES, findFaces } from './face';
import type { Quad } from './find';
import { cutOff, findDocument, tilt, width } from './find';
import { measureGlare } from './glare';
import type { Box } from './overlay';
import type { Raster } from './raster';
import { blank, contrast, dark, faceExposure, raster } from './raster';

const EVERY_MS = 60;
/** Looks in a row before an advice is said, so that the words do not flicker. */
const STEADY = 4;
/** How long, and in how many looks in a row, all must be good before the photo takes itself. */
const GOOD_MS = 400;
const GOOD_LOOKS = 5;
/** A reflection that is seen in some frames only is still in the photo: so many looks, 1.5 s, it counts. */
const GLARE_LOOKS = 15;
const OVERVIEW = 300; // px, longer side
const WORK = 8; // px/mm at which the gate measures documents
const TILE = { w: 320, h: 224 }; // px of that, 40 × 28 mm
const PHOTO = 900; // px, longer side at which the gate measures whole photos
/** exposure_dark from which the room is too dark to see even the table. Page's own. */
const DIM = 0.85;
/** Mean change between two looks, grey levels, above which the phone moves. Page's own. */
const MOVES = 9;

const spots = [[0.5, 0.5], [0.32, 0.66], [0.68, 0.4], [0.5, 0.8]] as const; // of the document
const widthMM: Record<DocumentType, number> = { passport: 125, id_card: 85.6, residence_permit: 85.6, driving_licence: 85.6 };

export interface Looking {
  video: HTMLVideoElement;
  kind: Kind;
  type: DocumentType;
  checks: LiveCheck[];
  order: string[];
  /** The drawn frame, as fractions of the picture. */
  frame: () => Box;
  /** A code, or null when all is well. */
  tell: (code: string | null) => void;
  /** All was good: the best of the frames. */
  fire: (best: HTMLCanvasElement) => void;
  /** Whether the photo may take itself now. */
  auto: () => boolean;
}

export class Advisor {
  private readonly canvas = document.createElement('canvas');
  private readonly best = document.createElement('canvas');
  private bestScore = -1;
  private bestAt = 0;
  private previous: Raster | null = null;
  private readonly sigmas: ({ sigma: number; ratio: number } | null)[] = [null, null, null, null];
  private readonly glares = new Array<number>(GLARE_LOOKS).fill(0);
  private slow: Measures = {};
  private goodSince = 0;
  private last: string | null | undefined;
  private count = 0;
  private looks = 0;
  private spent = 0;
  private readonly started = performance.now();
  private timer: ReturnType<typeof setTimeout>;
  private stopped = false;

  constructor(private readonly o: Looking) {
    this.timer = setTimeout(this.look, EVERY_MS);
  }

  /** Ends the loop and frees its pictures. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    for (const c of [this.canvas, this.best]) c.width = c.height = 0;
    this.previous = null;
  }

  /** Looks per second so far, and what one costs in ms. */
  get rate(): { perSecond: number; ms: number } {
    return { perSecond: (this.looks * 1000) / (performance.now() - this.started), ms: this.spent / Math.max(1, this.looks) };
  }

  private readonly look = (): void => {
    const began = performance.now();
    const f = this.o.frame();
    const { videoWidth: vw, videoHeight: vh } = this.o.video;
    if (vw > 0 && f.w > 0 && !this.o.video.paused) {
      const seen = isFace(this.o.kind) ? this.face(f, vw, vh) : this.page(f, vw, vh);
      this.looks++;
      this.spent += performance.now() - began;
      if (seen) this.decide(seen.codes, seen.sharp);
    }
    if (!this.stopped) this.timer = setTimeout(this.look, Math.max(4, EVERY_MS - (performance.now() - began)));
  };

  private page(f: Box, vw: number, vh: number): { codes: string[]; sharp: number } | null {
    // Some of what is around the frame, to see the document's edges.
    const x = Math.max(0, f.x - 0.12 * f.w), y = Math.max(0, f.y - 0.18 * f.h);
    const area = { x, y, w: Math.min(1, f.x + 1.12 * f.w) - x, h: Math.min(1, f.y + 1.18 * f.h) - y };
    const sw = area.w * vw, sh = area.h * vh;
    const k = OVERVIEW / Math.max(sw, sh);
    const view = this.pixels(area.x * vw, area.y * vh, sw, sh, Math.round(sw * k), Math.round(sh * k));
    if (!view) return null;
    const moves = this.moved(view);
    const local = { x: (f.x - area.x) * vw * k, y: (f.y - area.y) * vh * k, w: f.w * vw * k, h: f.h * vh * k };
    const found = findDocument(view, local);
    const quad = found?.map((p) => ({ x: area.x * vw + p.x / k, y: area.y * vh + p.y / k })) as Quad | undefined;
    const box = quad
      ? { x: Math.min(quad[0].x, quad[3].x), y: Math.min(quad[0].y, quad[1].y), w: width(quad), h: Math.max(quad[2].y, quad[3].y) - Math.min(quad[0].y, quad[1].y) }
      : { x: f.x * vw, y: f.y * vh, w: f.w * vw, h: f.h * vh };
    const perMM = box.w / widthMM[this.o.type];

    const m: Measures = { ...this.slow };
    const dk = 320 / box.w;
    const doc = this.pixels(box.x, box.y, box.w, box.h, 320, Math.max(32, Math.round(box.h * dk)));
    if (!doc) return null;
    m['document.exposure_dark'] = dark(doc);
    m['document.contrast'] = contrast(doc);
    const g = measureGlare(doc);
    this.glares[this.looks % this.glares.length] = g.area;
    m['document.glare_area'] = Math.max(...this.glares);
    m['document.exposure_bright'] = g.bright;

    // The tile wanders, so that one empty patch does not hide the others.
    const at = this.looks % spots.length;
    const [tx, ty] = spots[at]!;
    const tw = (TILE.w / WORK) * perMM, th = (TILE.h / WORK) * perMM;
    const tile = this.pixels(box.x + box.w * tx - tw / 2, box.y + box.h * ty - th / 2, tw, th, TILE.w, TILE.h);
    const b = tile ? measureBlur(tile, 3, 2) : null;
    this.sigmas[at] = b && b.sigma > 0 ? b : null;
    const told = this.sigmas.filter((v): v is { sigma: number; ratio: number } => v !== null);
    if (told.length) {
      const s = told.map((v) => v.sigma).sort((p, q) => p - q);
      const r = told.map((v) => v.ratio).sort((p, q) => p - q);
      m['document.sharpness'] = resolved(s[Math.trunc((s.length - 1) / 2)]!, WORK);
      m['document.motion'] = r[Math.trunc((r.length - 1) / 2)]!;
    } else if (this.looks >= spots.length) m['document.sharpness'] = 0; // not one edge: as the gate has it
    if (this.looks % 4 === 0) this.whole(vw, vh, box);

    const codes: string[] = [];
    if (quad) {
      m['document.resolution_dpi'] = perMM * 25.4;
      m['document.cut_off'] = cutOff(quad, vw, vh);
      const t = tilt(quad, vw, vh);
      if (t !== null) m['document.perspective_deg'] = t;
    } else {
      codes.push('capture.document_not_found');
      // What was measured is the table's, unless there is nothing to see at all.
      for (const name of Object.keys(m)) {
        if (name !== 'photo.blank' && !(name.endsWith('exposure_dark') && m[name]! > DIM)) delete m[name];
      }
    }
    codes.push(...failed(this.o.checks, this.o.kind, m));
    if (moves) codes.push('capture.motion_blur');
    return { codes, sharp: (m['document.sharpness'] ?? 0) * (b ? 1 : 0.5) };
  }

  /** What the gate measures on the whole photo; not in every look. */
  private whole(vw: number, vh: number, box: Box): void {
    const k = PHOTO / Math.max(vw, vh);
    const w = Math.min(320, Math.round(vw * k)), h = Math.min(240, Math.round(vh * k));
    const part = this.pixels(box.x + box.w / 2 - w / k / 2, box.y + box.h / 2 - h / k / 2, w / k, h / k, w, h);
    const all = this.pixels(0, 0, vw, vh, 240, Math.max(16, Math.round((240 * vh) / vw)));
    if (!part || !all) return;
    const b = measureBlur(part, 3, 2);
    this.slow = { 'photo.blank': blank(all), 'photo.exposure_dark': dark(all) };
    this.slow['photo.sharpness'] = resolved(b.sigma, PHOTO);
  }

  private face(f: Box, vw: number, vh: number): { codes: string[]; sharp: number } | null {
    const x = Math.max(0, f.x - 0.4 * f.w), y = Math.max(0, f.y - 0.15 * f.h);
    const area = { x, y, w: Math.min(1, f.x + 1.4 * f.w) - x, h: Math.min(1, f.y + 1.15 * f.h) - y };
    const sw = area.w * vw, sh = area.h * vh;
    const k = 170 / Math.max(sw, sh);
    const view = this.pixels(area.x * vw, area.y * vh, sw, sh, Math.round(sw * k), Math.round(sh * k));
    if (!view) return null;
    const moves = this.moved(view);
    const oval = { x: (f.x - area.x) * vw * k, y: (f.y - area.y) * vh * k, w: f.w * vw * k, h: f.h * vh * k };
    const faces = findFaces(view, oval.w * 0.35, oval.w * 1.2);
    if (this.looks % 6 === 0) {
      const all = this.pixels(0, 0, vw, vh, 240, Math.max(16, Math.round((240 * vh) / vw)));
      if (all) this.slow = { 'photo.blank': blank(all) };
    }
    const m: Measures = { ...this.slow };
    const codes: string[] = [];
    const [one, two] = faces;
    let sharp = 0;
    if (!one) codes.push('capture.face_not_found');
    else {
      if (two && two.w > one.w * 0.5) codes.push('capture.several_faces');
      const dx = Math.abs(one.x + one.w / 2 - (oval.x + oval.w / 2)) / oval.w;
      const dy = Math.abs(one.y + one.h / 2 - (oval.y + oval.h * 0.5)) / oval.h;
      if (dx > 0.2 || dy > 0.2) codes.push('capture.face_not_found');
      else if (one.w < oval.w * 0.48) codes.push('capture.resolution_low');
      else if (one.w > oval.w * 1.05) codes.push('biometric.liveness_inconclusive');
      const side = one.w / k;
      const apart = EYES * side;
      const near = this.pixels(area.x * vw + one.x / k, area.y * vh + one.y / k, side, side, 224, 224);
      if (near) {
        const e = faceExposure(near);
        m['face.under_exposure'] = e.under;
        m['face.over_exposure'] = e.over;
        const b = measureBlur(near);
        m['face.sharpness'] = sharp = resolved(b.sigma, apart * Math.min(1, 224 / side));
      }
      m['face.inter_eye_px'] = apart;
    }
    codes.push(...failed(this.o.checks, 'selfie', m));
    if (moves) codes.push('capture.motion_blur');
    return { codes, sharp };
  }

  private moved(now: Raster): boolean {
    const p = this.previous;
    this.previous = now;
    if (!p || p.luma.length !== now.luma.length) return false;
    let sum = 0;
    for (let i = 0; i < p.luma.length; i += 2) sum += Math.abs(p.luma[i]! - now.luma[i]!);
    return (2 * sum) / p.luma.length > MOVES;
  }

  private pixels(x: number, y: number, w: number, h: number, toW: number, toH: number): Raster | null {
    if (!(toW >= 16 && toH >= 16)) return null;
    if (this.canvas.width !== toW || this.canvas.height !== toH) {
      this.canvas.width = toW;
      this.canvas.height = toH;
    }
    const g = this.canvas.getContext('2d', { willReadFrequently: true });
    if (!g) return null;
    g.drawImage(this.o.video, x, y, w, h, 0, 0, toW, toH);
    return raster(g.getImageData(0, 0, toW, toH).data, toW, toH);
  }

  private decide(codes: string[], sharp: number): void {
    const code = foremost(codes, this.o.order);
    if (code === this.last) this.count++;
    else {
      this.last = code;
      this.count = 1;
    }
    if (this.count === STEADY) this.o.tell(code);
    const now = performance.now();
    if (code !== null) {
      this.goodSince = 0;
      this.bestScore = -1;
      return;
    }
    if (!this.goodSince) this.goodSince = now;
    if (!this.o.auto()) {
      this.goodSince = now;
      return;
    }
    if (sharp > this.bestScore || now - this.bestAt > 2 * GOOD_MS) this.keep(sharp, now);
    if (now - this.goodSince >= GOOD_MS && this.count >= GOOD_LOOKS && this.bestScore >= 0) this.o.fire(this.best);
  }

  /** Holds the present frame as the best so far. */
  private keep(score: number, now: number): void {
    const { videoWidth: w, videoHeight: h } = this.o.video;
    if (this.best.width !== w || this.best.height !== h) {
      this.best.width = w;
      this.best.height = h;
    }
    this.best.getContext('2d')!.drawImage(this.o.video, 0, 0);
    this.bestScore = score;
    this.bestAt = now;
  }
}
