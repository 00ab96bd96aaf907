// The challenge: arrows that the server drew for this session, followed before the
// camera. The frames go into a burst's file with the challenge's nonce in its head;
// docs/api.md has the format.
import type { API, Challenge } from './api';
import { pack } from './burst';
import type { Frame } from './burst';
import { onBack } from './back';
import { button, h, icon } from './dom';
import { t } from './i18n';
import { progress, show } from './shell';
import type { Shooting } from './shoot';

/** Longer side of a frame, px. */
const SIDE = 640;

/** What is asked, and that there is another way. spent: only that is left. */
export function introView(o: Shooting, start: () => void, spent = false): void {
  const title = t('challenge.title');
  show(h('div', { class: 'page', attrs: { 'data-view': 'challenge', 'data-spent': spent ? 'yes' : null } },
    h('header', {}, progress(o.step)),
    h('main', {},
      h('div', { class: 'art' }, h('div', { class: 'badge' }, icon('person', 36))),
      h('h1', { attrs: { tabindex: -1 } }, title),
      h('p', { class: 'lead' }, t(spent ? 'challenge.spent' : 'challenge.lead')),
      h('p', { class: 'small' }, t('challenge.assist.text')),
    ),
    h('footer', { class: 'actions' },
      spent ? null : button(t('challenge.start'), 'primary', start, 'start'),
      button(t('challenge.assist'), spent ? 'primary' : 'secondary', o.assist, 'assist-challenge'),
    ),
  ), title);
  onBack(o.back);
}

/** Draws a challenge, shows its arrows and takes frames meanwhile. */
export async function takeChallenge(
  api: API, video: HTMLVideoElement, stage: HTMLElement, tell: (text: string) => void, going: () => boolean,
): Promise<{ burst: Blob; preview: Blob }> {
  const c = await api.challenge(hints(video));
  const arrow = h('div', { class: 'arrow', attrs: { 'aria-hidden': true } });
  stage.append(arrow);
  const k = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(video.videoWidth * k);
  canvas.height = Math.round(video.videoHeight * k);
  const g = canvas.getContext('2d')!;
  const last = c.steps[c.steps.length - 1]!;
  const whole = last.at_ms + last.for_ms + c.tail_ms;
  const frames: Frame[] = [];
  let preview: Blob | null = null;
  let shown = -2;
  let picture = -1;
  const began = performance.now();
  try {
    while (frames.length < c.frames && going()) {
      const now = performance.now() - began;
      if (now > whole + 500) break;
      const at = stepAt(c, now);
      if (at !== shown) {
        shown = at;
        const turn = at < 0 ? 'straight' : c.steps[at]!.turn;
        arrow.dataset['turn'] = turn;
        navigator.vibrate?.(15);
        tell(t(`challenge.${turn}`));
      }
      // The same picture twice would be no evidence.
      if (video.currentTime !== picture) {
        picture = video.currentTime;
        g.drawImage(video, 0, 0, canvas.width, canvas.height);
        const taken = performance.now();
        const b = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/jpeg', 0.85));
        if (b) {
          preview ??= b;
          frames.push({ atMS: taken, file: new Uint8Array(await b.arrayBuffer()) });
        }
      }
      const next = began + (frames.length * whole) / (c.frames - 1);
      await new Promise((r) => setTimeout(r, Math.max(15, Math.min(80, next - performance.now()))));
      while (performance.now() < next && going()) {
        const step = stepAt(c, performance.now() - began);
        if (step !== shown) break;
        await new Promise((r) => setTimeout(r, 15));
      }
    }
  } finally {
    arrow.remove();
    canvas.width = canvas.height = 0;
  }
  if (!preview || !going()) throw new Error('the browser gave no frames');
  return { burst: new Blob([pack(frames, bytes(c.nonce)) as BlobPart], { type: 'application/octet-stream' }), preview };
}

/** The step that is shown at a time; -1: straight ahead. */
function stepAt(c: Challenge, ms: number): number {
  let at = -1;
  c.steps.forEach((s, i) => { if (ms >= s.at_ms) at = i; });
  return at;
}

function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (b) => parseInt(b, 16));
}

/** Weak evidence about the camera, as words; its name is not sent. */
function hints(video: HTMLVideoElement): string[] {
  const label = (video.srcObject as MediaStream | null)?.getVideoTracks()[0]?.label ?? '';
  const out: string[] = [];
  if (/virtual|\bobs\b|manycam|snap camera|xsplit|droidcam|v4l2 ?loopback|fake/i.test(label)) out.push('virtual_camera');
  if (/\bsdk_gphone|emulator|generic_x86/i.test(navigator.userAgent)) out.push('emulator');
  if (navigator.webdriver) out.push('automation');
  return out;
}
