// The camera step: live picture with advice, shutter, file fallback; then
// sending, the gate's answer, and what to retake.
import type { API, Capture, DocumentType, Kind, Region, UploadAnswer } from './api';
import { Problem } from './api';
import type { Facing } from './camera';
import { Camera, CameraError, fitFile, severalCameras, takePhoto } from './camera';
import { button, h, icon, s } from './dom';
import type { Key } from './i18n';
import { hint, splitHint, t } from './i18n';
import { Advisor } from './live';
import type { Advice } from './measure';
import type { Box, Shape } from './overlay';
import { frameIn, overlay } from './overlay';
import type { Step } from './shell';
import { progress, say, show } from './shell';
import { kindTitle } from './views';

export interface Shooting {
  api: API;
  status: Capture;
  kind: Kind;
  type: DocumentType;
  step: Step;
  /** The photo was accepted and the person wants to go on. */
  done: (photo: Blob) => void;
  back: () => void;
  /** The request failed for good, e.g. because the link expired. */
  failed: (p: Problem) => void;
}

/** What to say while the picture is live; the catalogue's hints speak of a photo that was taken. */
const liveText: Record<Advice, Key> = {
  'capture.too_dark': 'live.too_dark',
  'capture.too_bright': 'live.too_bright',
  'capture.contrast_low': 'live.contrast_low',
  'capture.motion_blur': 'live.motion_blur',
  'capture.glare': 'live.glare',
  'capture.blurred': 'live.blurred',
};

export function shoot(o: Shooting): void {
  const facing: Facing = o.kind === 'selfie' ? 'user' : 'environment';
  live(o, facing);
}

function shapeOf(o: Shooting): Shape {
  if (o.kind === 'selfie') return 'face';
  return o.type === 'passport' ? 'passport' : 'card';
}

function live(o: Shooting, facing: Facing): void {
  const title = kindTitle(o.kind, o.type);
  const placeHint = t(o.kind === 'selfie' ? 'camera.place.selfie' : 'camera.place.document');
  const video = h('video', { attrs: { playsinline: true, muted: true, autoplay: true, 'aria-hidden': true } });
  video.muted = true;
  const stage = h('div', { class: 'stage' }, video);
  const pill = h('p', { class: 'pill' }, t('camera.starting'));
  const shutter = h('button', {
    class: 'shutter', attrs: { type: 'button', id: 'shutter', 'aria-label': t('camera.shutter'), disabled: true },
  }, h('span'));
  const swap = h('button', {
    class: 'round', attrs: { type: 'button', 'aria-label': t('camera.swap'), hidden: true },
  }, icon('swap'));
  const torch = h('button', {
    class: 'round', attrs: { type: 'button', 'aria-label': t('camera.torch'), 'aria-pressed': 'false', hidden: true },
  }, icon('torch'));
  const file = fileInput(facing, (f) => void choose(f));
  const view = h('div', { class: `camera ${o.kind === 'selfie' ? 'selfie' : ''}`, attrs: { 'data-view': o.kind } },
    h('header', {},
      h('button', { class: 'round', attrs: { type: 'button', 'aria-label': t('camera.close') }, on: { click: o.back } }, icon('back')),
      h('h1', { attrs: { tabindex: -1 } }, title),
      torch,
      progress(o.step),
    ),
    h('main', {}, stage, pill),
    h('footer', { class: 'controls' },
      h('label', { class: 'round', attrs: { title: t('camera.file') } }, icon('upload'), h('span', { class: 'sr' }, t('camera.file')), file),
      shutter,
      swap,
    ),
  );

  let camera: Camera | null = null;
  let advisor: Advisor | null = null;
  let left = false;
  let lit = false;
  const stop = (): void => {
    advisor?.stop();
    camera?.stop();
    camera = null;
    video.srcObject = null;
  };
  const hidden = (): void => {
    if (document.hidden) {
      stop();
      shutter.disabled = true;
    } else if (!camera && !left) void start();
  };
  const resized = new ResizeObserver(() => draw());
  show(view, title, () => {
    left = true;
    document.removeEventListener('visibilitychange', hidden);
    resized.disconnect();
    stop();
  });
  document.addEventListener('visibilitychange', hidden);
  resized.observe(stage);

  let frame: Box = { x: 0, y: 0, w: 1, h: 1 };
  let shown: Box = { x: 0, y: 0, w: 1, h: 1 };
  function draw(): void {
    stage.querySelector('.overlay')?.remove();
    const size = { w: stage.clientWidth, h: stage.clientHeight };
    if (!size.w || !video.videoWidth) return;
    shown = pictureBox(size, video.videoWidth, video.videoHeight);
    const visible: Box = {
      x: Math.max(0, shown.x), y: Math.max(0, shown.y),
      w: Math.min(size.w, shown.w), h: Math.min(size.h, shown.h),
    };
    video.classList.toggle('contain', shown.w <= size.w + 1 && shown.h <= size.h + 1);
    frame = frameIn(visible, shapeOf(o));
    stage.append(overlay(size, frame, shapeOf(o)));
  }

  async function start(): Promise<void> {
    try {
      const c = await Camera.open(facing);
      if (left || document.hidden) {
        c.stop();
        return;
      }
      camera = c;
    } catch (e) {
      if (!left) troubleView(o, facing, e instanceof CameraError ? e.trouble : 'none', choose);
      return;
    }
    video.srcObject = camera.stream;
    await video.play().catch(() => undefined);
    if (left) return;
    draw();
    shutter.disabled = false;
    torch.hidden = !camera.hasTorch;
    swap.hidden = !(await severalCameras());
    pill.textContent = placeHint;
    advisor = new Advisor(video, o.kind === 'selfie', () => inPicture(frame, shown), (code) => {
      const text = t(code ? liveText[code] : 'camera.good');
      view.dataset.advice = code ?? 'good';
      if (pill.textContent !== text) {
        pill.textContent = text;
        say(text);
      }
    });
  }

  async function choose(f: Blob): Promise<void> {
    const fit = await fitFile(f, o.status.limits.max_bytes).catch(() => f);
    send(o, fit);
  }

  shutter.addEventListener('click', () => {
    if (!camera) return;
    shutter.disabled = true;
    navigator.vibrate?.(15);
    void takePhoto(video).then((b) => send(o, b), () => { shutter.disabled = false; });
  });
  swap.addEventListener('click', () => live(o, facing === 'user' ? 'environment' : 'user'));
  torch.addEventListener('click', () => {
    lit = !lit;
    void camera?.torch(lit).catch(() => { torch.hidden = true; });
    torch.setAttribute('aria-pressed', String(lit));
  });
  void start();
}

/** Where the picture lies in the stage: a portrait picture covers it, a landscape one is shown whole. */
function pictureBox(stage: { w: number; h: number }, w: number, h: number): Box {
  const cover = Math.max(stage.w / w, stage.h / h);
  const contain = Math.min(stage.w / w, stage.h / h);
  // Covering may hide at most a third of the picture: all of it is sent, so
  // most of it has to be seen.
  const k = (stage.w * stage.h) / (w * h * cover * cover) >= 0.66 ? cover : contain;
  return { x: (stage.w - w * k) / 2, y: (stage.h - h * k) / 2, w: w * k, h: h * k };
}

/** The frame as fractions of the picture. */
function inPicture(frame: Box, picture: Box): Box {
  return {
    x: (frame.x - picture.x) / picture.w, y: (frame.y - picture.y) / picture.h,
    w: frame.w / picture.w, h: frame.h / picture.h,
  };
}

function fileInput(facing: Facing, chosen: (f: File) => void): HTMLInputElement {
  const i = h('input', { class: 'sr', attrs: { type: 'file', accept: 'image/*', 'data-facing': facing } });
  i.addEventListener('change', () => {
    const f = i.files?.[0];
    if (f) chosen(f);
  });
  return i;
}

function troubleView(o: Shooting, facing: Facing, trouble: CameraError['trouble'], choose: (f: Blob) => Promise<void>): void {
  const title = t(`trouble.${trouble}.title`);
  show(h('div', { class: 'page', attrs: { 'data-view': 'trouble', 'data-trouble': trouble } },
    h('header', {}, progress(o.step)),
    h('main', {},
      h('div', { class: 'art' }, h('div', { class: 'badge warn' }, icon('camera', 36))),
      h('h1', { attrs: { tabindex: -1 } }, title),
      h('p', { class: 'lead' }, t(`trouble.${trouble}.text`)),
      h('p', { class: 'small' }, kindTitle(o.kind, o.type)),
    ),
    h('footer', { class: 'actions' },
      h('label', { class: 'btn primary file' }, icon('upload', 20), t('camera.file'), fileInput(facing, (f) => void choose(f))),
      trouble === 'unsupported' ? null : button(t('trouble.again'), 'secondary', () => live(o, facing)),
    ),
  ), title);
}

/**
 * Refusals so far. From the second on the person may insist: the gate can be
 * wrong, and nobody must be stuck on a photo that can not be better.
 */
const refusals = new Map<Kind, number>();

/** Files that no one could judge; insisting would change nothing. */
const unusable = new Set([
  'capture.not_an_image', 'capture.unsupported_format', 'capture.image_truncated', 'capture.image_corrupt', 'capture.too_large',
]);

function send(o: Shooting, photo: Blob, insist = false): void {
  const url = URL.createObjectURL(photo);
  const stop = new AbortController();
  const title = t('send.checking');
  const meter = h('progress', { attrs: { max: 1, value: 0, 'aria-label': t('send.sending') } });
  const note = h('p', { class: 'lead' }, t('send.sending'));
  const now = h('button', { class: 'btn secondary', attrs: { type: 'button', hidden: true } }, t('send.now'));
  show(h('div', { class: 'page sending', attrs: { 'data-view': 'sending' } },
    h('header', {}, progress(o.step)),
    h('main', {},
      h('div', { class: 'shot' }, h('img', { attrs: { src: url, alt: '' } }), h('div', { class: 'scan' })),
      h('h1', { attrs: { tabindex: -1 } }, title), meter, note,
    ),
    h('footer', { class: 'actions' }, now),
  ), title, () => stop.abort());

  let retry: () => void = () => undefined;
  now.addEventListener('click', () => retry());
  o.api.upload(o.kind, o.type, photo, insist,
    (f) => {
      meter.value = f;
      note.textContent = t(f < 1 ? 'send.sending' : 'send.checking');
    },
    (w) => {
      now.hidden = !w;
      if (!w) return;
      retry = w.now;
      note.textContent = w.offline ? t('send.offline') : t('send.busy', { seconds: Math.ceil(w.inMS / 1000) });
      say(note.textContent);
    },
    stop.signal,
  ).then(
    (a) => {
      if (a.kept && !a.accepted) {
        URL.revokeObjectURL(url);
        o.done(photo);
        return;
      }
      if (!a.accepted) refusals.set(o.kind, (refusals.get(o.kind) ?? 0) + 1);
      answerView(o, photo, url, a);
    },
    (e: unknown) => {
      URL.revokeObjectURL(url);
      if (!stop.signal.aborted) o.failed(e instanceof Problem ? e : new Problem(0, 'page', String(e)));
    },
  );
}

function answerView(o: Shooting, photo: Blob, url: string, a: UploadAnswer): void {
  const img = h('img', { attrs: { src: url, alt: '' } });
  const shot = h('div', { class: `shot ${a.accepted ? 'good' : 'bad'}` }, img);
  const again = (kind: 'primary' | 'secondary'): HTMLButtonElement =>
    button(t('send.again'), kind, () => shoot(o), 'again');
  const code = a.hint?.code ?? '';
  const text = a.accepted ? [t('send.good'), t(o.kind === 'selfie' ? 'send.good.selfie' : 'send.good.text')]
    : splitHint(hint(code, a.hint?.text));
  const regions = !a.accepted && localFaults.has(code) ? a.hint?.regions ?? [] : [];
  if (regions.length) void img.decode().then(() => shot.append(marks(regions, img)), () => undefined);
  const mayInsist = !a.accepted && (refusals.get(o.kind) ?? 0) > 1 && !a.codes.some((c) => unusable.has(c));
  navigator.vibrate?.(a.accepted ? 20 : [30, 60, 30]);
  show(h('div', { class: 'page answer', attrs: { 'data-view': a.accepted ? 'accepted' : 'retake', 'data-code': code } },
    h('header', {}, progress(o.step)),
    h('main', {},
      shot,
      h('div', { class: `verdict ${a.accepted ? 'good' : 'bad'}` },
        h('span', { class: 'point' }, icon(a.accepted ? 'check' : 'retry')),
        h('div', {}, h('h1', { attrs: { tabindex: -1 } }, text[0]!), text[1] ? h('p', {}, text[1]) : null),
      ),
    ),
    h('footer', { class: 'actions' },
      a.accepted ? button(t('send.continue'), 'primary', () => o.done(photo), 'continue') : null,
      again(a.accepted ? 'secondary' : 'primary'),
      a.accepted ? null : h('label', { class: 'btn quiet file' }, t('camera.file'),
        fileInput('environment', (f) => void fitFile(f, o.status.limits.max_bytes).catch(() => f).then((b) => send(o, b)))),
      mayInsist ? button(t('send.insist'), 'quiet', () => send(o, photo, true), 'insist') : null,
    ),
  ), text[0]!, () => URL.revokeObjectURL(url));
}

/** Faults that have a place; the others are the whole photo's, and marks would only puzzle. */
const localFaults = new Set([
  'capture.glare', 'capture.glare_on_mrz', 'capture.glare_on_portrait', 'capture.shadow', 'capture.document_cut_off',
  'capture.several_faces', 'document.mrz_unreadable', 'document.portrait_not_found',
]);

/** Boxes over what has to be better; an upright photo's own pixels are the unit. */
function marks(regions: Region[], img: HTMLImageElement): SVGSVGElement {
  const svg = s('svg', {
    viewBox: `0 0 ${img.naturalWidth} ${img.naturalHeight}`, class: 'marks', preserveAspectRatio: 'none',
    role: 'img', 'aria-label': t('send.region'),
  });
  for (const r of regions) {
    svg.append(s('rect', { x: r.x, y: r.y, width: r.w, height: r.h, rx: Math.min(r.w, r.h) * 0.08 }));
  }
  return svg;
}
