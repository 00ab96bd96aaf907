// The camera step: live picture with advice, the photo that takes itself when all
// is good, a shutter that always works, files, and what to do without a camera.
import type { API, Capture, DocumentType, Kind } from './api';
import { Problem, isFace, isFilm } from './api';
import { refused, send } from './answer';
import { onBack } from './back';
import { takeBurst } from './burst';
import { lampOver } from './light';
import { introView, takeChallenge } from './challenge';
import type { Facing } from './camera';
import { Camera, CameraError, fitFile, photoOf, severalCameras, takePhoto } from './camera';
import { click } from './cue';
import { button, h, icon } from './dom';
import type { Key } from './i18n';
import { codeOrder, t } from './i18n';
import { Advisor } from './live';
import type { Sending } from './outbox';
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
  /** Other photos are still to be taken. */
  more: boolean;
  /** The person asked for assistance: a photo is kept from the first refusal on. */
  assisted: boolean;
  /** The photo was accepted and the person wants to go on. */
  done: (photo: Blob) => void;
  /** The photo goes on in the background. */
  later: (s: Sending) => void;
  /** The person takes another way than a challenge. */
  assist: () => void;
  back: () => void;
  help: (back: () => void) => void;
  handover: (back: () => void) => void;
  /** The request failed for good, e.g. because the link expired. */
  failed: (p: Problem) => void;
}

/** What to say while the picture is live; the catalogue's hints speak of a photo that was taken. */
const liveText: Record<string, Key> = {
  'capture.too_dark': 'live.too_dark',
  'capture.too_bright': 'live.too_bright',
  'capture.contrast_low': 'live.contrast_low',
  'capture.blank': 'live.contrast_low',
  'capture.motion_blur': 'live.motion_blur',
  'capture.glare': 'live.glare',
  'capture.glare_on_mrz': 'live.glare',
  'capture.glare_on_portrait': 'live.glare',
  'capture.blurred': 'live.blurred',
  'capture.resolution_low': 'live.closer',
  'capture.perspective': 'live.straight',
  'capture.document_cut_off': 'camera.place.document',
  'capture.document_not_found': 'camera.place.document',
  'capture.face_not_found': 'camera.place.selfie',
  'capture.several_faces': 'live.alone',
  'biometric.liveness_inconclusive': 'live.further',
};

/** Taking itself can be switched off, and stays off. */
let automatic = true;

export function shoot(o: Shooting): void {
  if (o.kind === 'selfie_challenge') introView(o, () => live(o, 'user'));
  else live(o, isFace(o.kind) ? 'user' : 'environment');
}

function shapeOf(o: Shooting): Shape {
  if (isFace(o.kind)) return 'face';
  return o.type === 'passport' ? 'passport' : 'card';
}

function round(name: Parameters<typeof icon>[0], label: string, id: string, pressed?: boolean): HTMLButtonElement {
  return h('button', {
    class: 'round',
    attrs: { type: 'button', id, 'aria-label': label, title: label, 'aria-pressed': pressed === undefined ? null : String(pressed) },
  }, icon(name));
}

function live(o: Shooting, facing: Facing): void {
  const title = kindTitle(o.kind, o.type);
  const placeHint = t(isFace(o.kind) ? 'camera.place.selfie' : 'camera.place.document');
  const video = h('video', { attrs: { playsinline: true, muted: true, autoplay: true, 'aria-hidden': true } });
  video.muted = true;
  const stage = h('div', { class: 'stage' }, video);
  const pill = h('p', { class: 'pill' }, t('camera.starting'));
  const shutter = h('button', {
    class: 'shutter', attrs: { type: 'button', id: 'shutter', 'aria-label': t('camera.shutter'), disabled: true },
  }, h('span'));
  const swap = round('swap', t('camera.swap'), 'swap');
  const torch = round('torch', t('camera.torch'), 'torch', false);
  const auto = round('auto', t('camera.auto'), 'auto', automatic);
  const help = round('help', t('help.button'), 'help');
  const zoom = h('input', { class: 'zoom', attrs: { type: 'range', 'aria-label': t('camera.zoom') } });
  swap.hidden = torch.hidden = zoom.hidden = true;
  const view = h('div', { class: `camera ${isFace(o.kind) ? 'selfie' : ''}`, attrs: { 'data-view': o.kind } },
    h('header', {},
      h('button', { class: 'round', attrs: { type: 'button', 'aria-label': t('camera.close') }, on: { click: o.back } }, icon('back')),
      h('h1', { attrs: { tabindex: -1 } }, title),
      help,
      progress(o.step),
    ),
    h('main', {}, stage, pill),
    h('footer', { class: 'controls' },
      h('div', { class: 'tools' },
        isFilm(o.kind) ? null : h('label', { class: 'round', attrs: { title: t('camera.file') } }, icon('upload'), h('span', { class: 'sr' }, t('camera.file')),
          fileInput(facing, (f) => void choose(f))), auto),
      shutter,
      h('div', { class: 'tools end' }, torch, swap),
      zoom,
    ),
  );

  let camera: Camera | null = null;
  let advisor: Advisor | null = null;
  let left = false;
  let lit = false;
  const opened = performance.now();
  const stop = (): void => {
    advisor?.stop();
    advisor = null;
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
  onBack(o.back);
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
    // The camera was unplugged or taken by another app.
    camera.onEnded(() => {
      if (!left && !document.hidden) troubleView(o, facing, 'busy', choose);
    });
    video.srcObject = camera.stream;
    await video.play().catch(() => undefined);
    if (left || !camera) return;
    draw();
    shutter.disabled = false;
    torch.hidden = !camera.hasTorch;
    const z = camera.zoomRange;
    if (z) {
      Object.assign(zoom, { min: z.min, max: z.max, step: z.step || 0.1, value: z.now });
      zoom.hidden = false;
    }
    swap.hidden = !(await severalCameras());
    if (left || !camera) return;
    pill.textContent = placeHint;
    let dark = 0;
    advisor = new Advisor({
      video, kind: o.kind, type: o.type, checks: o.status.live, order: codeOrder,
      frame: () => inPicture(frame, shown),
      tell: (code) => {
        const text = t(code ? liveText[code] ?? 'camera.place.document' : automatic && refused(o.kind) < 2 ? 'camera.hold' : 'camera.good');
        view.dataset['advice'] = code ?? 'good';
        if (advisor) {
          const r = advisor.rate;
          view.dataset['rate'] = r.perSecond.toFixed(1);
          view.dataset['cost'] = r.ms.toFixed(1);
        }
        // Dark for a while: the lamp is offered, or said to be missing.
        if (code === 'capture.too_dark' && ++dark === 2 && !torch.hidden) torch.classList.add('wanted');
        if (pill.textContent !== text) {
          pill.textContent = text;
          say(text);
        }
      },
      // After a refusal not at once again, and after two not by itself any more.
      auto: () => automatic && !o.assisted && refused(o.kind) < 2 && performance.now() - opened > (refused(o.kind) ? 3000 : 800),
      fire: (best) => {
        if (left) return;
        view.dataset['fired'] = 'auto';
        if (isFilm(o.kind)) void burst();
        else void taken(photoOf(best));
      },
    });
  }

  /** Frames while the head turns: the picture goes on, and so does the camera. */
  async function burst(): Promise<void> {
    if (shutter.disabled) return;
    shutter.disabled = true;
    advisor?.stop();
    click();
    const going = (): boolean => !left && !document.hidden;
    const tell = (text: string): void => {
      pill.textContent = text;
      say(text);
    };
    try {
      let b: { burst: Blob; preview: Blob };
      if (o.kind === 'selfie_challenge') b = await takeChallenge(o.api, video, stage, tell, going);
      else {
        tell(t('camera.burst'));
        const light = o.status.burst_light ? lampOver(stage) : null;
        try {
          b = await takeBurst(video, going, light?.lamp);
        } finally {
          light?.off();
        }
      }
      navigator.vibrate?.(15);
      if (!left) send(o, b.burst, false, b.preview);
    } catch (e) {
      if (left) return;
      if (o.kind !== 'selfie_challenge') live(o, facing);
      else if (e instanceof Problem && e.code !== 'challenges_spent' && !e.temporary) o.failed(e);
      else introView(o, () => live(o, facing), e instanceof Problem && e.code === 'challenges_spent');
    }
  }

  /** A photo was taken: the picture freezes, a cue sounds, it is sent. */
  async function taken(photo: Promise<Blob>): Promise<void> {
    shutter.disabled = true;
    video.pause();
    click();
    navigator.vibrate?.(15);
    say(t('camera.taken'));
    try {
      const b = await photo;
      if (!left) send(o, b);
    } catch {
      if (left) return;
      shutter.disabled = false;
      void video.play().catch(() => undefined);
    }
  }

  async function choose(f: Blob): Promise<void> {
    const fit = await fitFile(f, o.status.limits.max_bytes).catch(() => f);
    send(o, fit);
  }

  shutter.addEventListener('click', () => {
    if (!camera) return;
    if (isFilm(o.kind)) void burst();
    else void taken(takePhoto(video));
  });
  swap.addEventListener('click', () => live(o, facing === 'user' ? 'environment' : 'user'));
  help.addEventListener('click', () => o.help(() => shoot(o)));
  zoom.addEventListener('input', () => void camera?.zoom(Number(zoom.value)).catch(() => { zoom.hidden = true; }));
  auto.addEventListener('click', () => {
    automatic = !automatic;
    auto.setAttribute('aria-pressed', String(automatic));
    say(t(automatic ? 'camera.auto.on' : 'camera.auto.off'));
  });
  torch.addEventListener('click', () => {
    lit = !lit;
    torch.classList.remove('wanted');
    void camera?.torch(lit).catch(() => { torch.hidden = true; });
    torch.setAttribute('aria-pressed', String(lit));
  });
  void start();
}

/** Where the picture lies on the stage: a portrait picture covers it, a landscape one is shown whole. */
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

export function fileInput(facing: Facing, chosen: (f: File) => void): HTMLInputElement {
  const i = h('input', { class: 'sr', attrs: { type: 'file', accept: 'image/*', 'data-facing': facing } });
  i.addEventListener('change', () => {
    const f = i.files?.[0];
    if (f) chosen(f);
  });
  return i;
}

function troubleView(o: Shooting, facing: Facing, trouble: CameraError['trouble'], choose: (f: Blob) => Promise<void>): void {
  const title = t(`trouble.${trouble}.title`);
  const again = (): void => troubleView(o, facing, trouble, choose);
  show(h('div', { class: 'page', attrs: { 'data-view': 'trouble', 'data-trouble': trouble } },
    h('header', {}, progress(o.step)),
    h('main', {},
      h('div', { class: 'art' }, h('div', { class: 'badge warn' }, icon('camera', 36))),
      h('h1', { attrs: { tabindex: -1 } }, title),
      h('p', { class: 'lead' }, t(`trouble.${trouble}.text`)),
      h('p', { class: 'small' }, kindTitle(o.kind, o.type)),
    ),
    h('footer', { class: 'actions' },
      isFilm(o.kind) ? null : h('label', { class: 'btn primary file' }, icon('upload', 20), t('camera.file'), fileInput(facing, (f) => void choose(f))),
      trouble === 'unsupported' ? null : button(t('trouble.again'), 'secondary', () => live(o, facing)),
      button(t('handover.button'), 'secondary', () => o.handover(again), 'device'),
      button(t('help.button'), 'quiet', () => o.help(again), 'help'),
    ),
  ), title);
  onBack(o.back);
}
