// Sending a photo, and what the gate says of it.
import type { Kind, Region } from './api';
import { isFace, isFilm } from './api';
import { onBack } from './back';
import { fitFile } from './camera';
import { button, h, icon, s } from './dom';
import { hint, splitHint, t } from './i18n';
import { outbox, Sending } from './outbox';
import { progress, say, show } from './shell';
import type { Shooting } from './shoot';
import { fileInput, shoot } from './shoot';

/**
 * Refusals so far. From the second on, or from the first with assistance, the
 * person may insist: the gate can be wrong, and nobody must be stuck on a photo
 * that can not be better.
 */
const refusals = new Map<Kind, number>();

export function refused(k: Kind): number { return refusals.get(k) ?? 0; }

/** Files that no one could judge; insisting would change nothing. */
const unusable = new Set([
  'capture.not_an_image', 'capture.unsupported_format', 'capture.image_truncated', 'capture.image_corrupt', 'capture.too_large',
]);

export function send(o: Shooting, photo: Blob, insist = false, preview = photo): void {
  const sending = new Sending(o.api, o.kind, o.type, photo, insist, preview);
  outbox.put(sending);
  sendingView(o, sending);
}

/** Shows a photo on its way, also one that went on in the background. */
export function sendingView(o: Shooting, sending: Sending): void {
  const url = URL.createObjectURL(sending.preview);
  const title = t('send.checking');
  const meter = h('progress', { attrs: { max: 1, value: 0, 'aria-label': t('send.sending') } });
  const note = h('p', { class: 'lead' }, t('send.sending'));
  const now = h('button', { class: 'btn secondary', attrs: { type: 'button', id: 'now', hidden: true } }, t('send.now'));
  const later = h('button', { class: 'btn quiet', attrs: { type: 'button', id: 'later', hidden: true } }, t('send.later'));
  let left = false;
  show(h('div', { class: 'page sending', attrs: { 'data-view': 'sending' } },
    h('header', {}, progress(o.step)),
    h('main', {},
      h('div', { class: 'shot' }, h('img', { attrs: { src: url, alt: '' } }), h('div', { class: 'scan' })),
      h('h1', { attrs: { tabindex: -1 } }, title), meter, note,
    ),
    h('footer', { class: 'actions' }, now, later),
  ), title, () => {
    left = true;
    URL.revokeObjectURL(url);
  });
  // Back: the photo was not meant. It is dropped and taken again.
  onBack(() => {
    outbox.remove(o.kind);
    shoot(o);
  });
  now.addEventListener('click', () => sending.waiting?.now());
  later.addEventListener('click', () => o.later(sending));
  let last = '';
  const changed = (): void => {
    if (left) return;
    if (sending.answer || sending.problem) {
      left = true;
      settle(o, sending);
      return;
    }
    const w = sending.waiting;
    meter.value = sending.fraction;
    now.hidden = !w;
    later.hidden = !w || !o.more;
    note.textContent = w ? (w.offline ? t('send.offline') : t('send.busy', { seconds: Math.ceil(w.inMS / 1000) }))
      : t(sending.fraction < 1 ? 'send.sending' : 'send.checking');
    if (w && note.textContent !== last) say(note.textContent);
    last = note.textContent;
  };
  sending.watch(changed);
  changed();
}

/** What a finished sending leads to. */
function settle(o: Shooting, sending: Sending): void {
  const a = sending.answer;
  if (!a) {
    o.failed(sending.problem!);
    return;
  }
  outbox.remove(o.kind);
  if (a.kept && !a.accepted) {
    o.done(sending.preview);
    return;
  }
  if (!a.accepted) refusals.set(o.kind, refused(o.kind) + 1);
  answerView(o, sending);
}

function answerView(o: Shooting, sending: Sending): void {
  const a = sending.answer!;
  const url = URL.createObjectURL(sending.preview);
  const img = h('img', { attrs: { src: url, alt: '' } });
  const shot = h('div', { class: `shot ${a.accepted ? 'good' : 'bad'}` }, img);
  const code = a.hint?.code ?? '';
  const text = a.accepted ? [t('send.good'), t(isFace(o.kind) ? 'send.good.selfie' : 'send.good.text')]
    : splitHint(hint(code, a.hint?.text, o.type));
  const regions = !a.accepted && localFaults.has(code) ? a.hint?.regions ?? [] : [];
  if (regions.length) void img.decode().then(() => shot.append(marks(regions, img)), () => undefined);
  const mayInsist = !a.accepted && (o.assisted || refused(o.kind) > 1) && !a.codes.some((c) => unusable.has(c));
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
      a.accepted ? button(t('send.continue'), 'primary', () => o.done(sending.preview), 'continue') : null,
      button(t('send.again'), a.accepted ? 'secondary' : 'primary', () => shoot(o), 'again'),
      a.accepted || isFilm(o.kind) ? null : h('label', { class: 'btn quiet file' }, t('camera.file'),
        fileInput('environment', (f) => void fitFile(f, o.status.limits.max_bytes).catch(() => f).then((b) => send(o, b)))),
      mayInsist ? button(t('send.insist'), 'quiet', () => send(o, sending.photo, true, sending.preview), 'insist') : null,
      a.accepted ? null : button(t('help.button'), 'quiet', () => o.help(() => answerView(o, sending)), 'help'),
    ),
  ), text[0]!, () => URL.revokeObjectURL(url));
  onBack(() => shoot(o));
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
