// The frame drawn over the live picture: where to hold the document or face.
import { s } from './dom';

export type Shape = 'passport' | 'card' | 'face';
export interface Box { x: number; y: number; w: number; h: number }

// Width to height: ICAO 9303-4 data page 125 × 88 mm, ISO/IEC 7810 ID-1 card
// 85.60 × 53.98 mm; the face oval leaves room for what the liveness check
// needs around the head.
const ratio: Record<Shape, number> = { passport: 125 / 88, card: 85.6 / 53.98, face: 0.76 };

/** The frame within the part of the stage that shows picture. */
export function frameIn(view: Box, shape: Shape): Box {
  const r = ratio[shape];
  const room = shape === 'face' ? 0.6 : 0.9;
  let w = view.w * (shape === 'face' ? 0.64 : 0.92);
  let h = w / r;
  const top = view.h * (shape === 'face' ? room : 0.86);
  if (h > top) {
    h = top;
    w = h * r;
  }
  const lift = shape === 'face' ? 0.45 : 0.46;
  return { x: view.x + (view.w - w) / 2, y: view.y + (view.h - h) * lift, w, h };
}

/** Draws the frame for a stage of the given size. */
export function overlay(stage: { w: number; h: number }, f: Box, shape: Shape): SVGSVGElement {
  const r = shape === 'face' ? 0 : Math.min(18, f.w * 0.045);
  const hole = shape === 'face'
    ? `M${f.x + f.w / 2} ${f.y}a${f.w / 2} ${f.h / 2} 0 1 0 .01 0z`
    : `M${f.x + r} ${f.y}h${f.w - 2 * r}a${r} ${r} 0 0 1 ${r} ${r}v${f.h - 2 * r}a${r} ${r} 0 0 1 -${r} ${r}h-${f.w - 2 * r}a${r} ${r} 0 0 1 -${r} -${r}v-${f.h - 2 * r}a${r} ${r} 0 0 1 ${r} -${r}z`;
  const root = s('svg', {
    viewBox: `0 0 ${stage.w} ${stage.h}`, class: 'overlay', 'aria-hidden': 'true', focusable: 'false',
  });
  root.append(s('path', { class: 'shade', 'fill-rule': 'evenodd', d: `M0 0H${stage.w}V${stage.h}H0z${hole}` }));
  root.append(s('path', { class: 'edge', d: hole }));
  if (shape === 'passport') {
    // Where the two lines of the machine-readable zone lie, and the portrait.
    const line = (at: number): void => {
      root.append(s('path', { class: 'guide', d: `M${f.x + f.w * 0.05} ${f.y + f.h * at}h${f.w * 0.9}` }));
    };
    line(0.865);
    line(0.935);
  }
  return root;
}
