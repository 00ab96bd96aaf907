// Going on with another device: a QR code that works once and for some minutes.
import { encode } from 'uqr';
import type { API, Capture } from './api';
import { onBack } from './back';
import { button, h, icon, s } from './dom';
import { t } from './i18n';
import { page, say, show } from './shell';

/** Follows what the other device does; moved is called when the session goes on there. */
export function handoverView(api: API, now: Capture, back: () => void, moved: (c: Capture) => void): void {
  const title = t('handover.title');
  const code = h('div', { class: 'qr', attrs: { 'aria-busy': true } });
  const note = h('p', { class: 'small', attrs: { id: 'handover-note' } });
  const link = h('input', { class: 'link', attrs: { type: 'text', readonly: true, dir: 'ltr', 'aria-label': t('handover.link') } });
  const copy = button(t('handover.copy'), 'secondary', async () => {
    link.select();
    await navigator.clipboard?.writeText(link.value).catch(() => undefined);
    say(t('handover.copied'));
  });
  let left = false;
  const timers: ReturnType<typeof setTimeout>[] = [];
  const later = (f: () => void, ms: number): void => { timers.push(setTimeout(f, ms)); };

  async function draw(): Promise<void> {
    try {
      const o = await api.handover();
      if (left) return;
      code.replaceChildren(picture(o.url));
      code.removeAttribute('aria-busy');
      link.value = o.url;
      note.textContent = t('handover.note', { minutes: Math.max(1, Math.round(o.expires_in / 60)) });
      // A fresh one before the present one ends.
      later(() => void draw(), Math.max(30, o.expires_in - 20) * 1000);
    } catch {
      if (left) return;
      note.textContent = t('error.offline');
      later(() => void draw(), 5000);
    }
  }

  const stage = (c: Capture): string => `${c.state} ${c.consent} ${c.attempt} ${c.accepted.join()}`;
  let was = stage(now);
  let told = false;
  function watch(): void {
    later(() => {
      api.status().then((c) => {
        if (left) return;
        if (c.state !== 'initiated' && c.state !== 'capture_in_progress' && c.state !== 'needs_resubmission') {
          moved(c);
          return;
        }
        if (stage(c) !== was) {
          was = stage(c);
          if (!told) {
            told = true;
            code.replaceChildren(h('div', { class: 'badge good' }, icon('check', 36)));
            note.textContent = t('handover.moved');
            say(note.textContent);
          }
        }
        watch();
      }, () => watch());
    }, 3000);
  }

  show(page({ id: 'handover', title, lead: t('handover.lead') },
    [h('div', { class: 'handover' }, code, note, h('label', { class: 'small' }, t('handover.link'), link))],
    [copy, button(t('handover.back'), 'quiet', back, 'here')]), title, () => {
    left = true;
    for (const x of timers) clearTimeout(x);
    link.value = '';
  });
  onBack(back);
  void draw();
  watch();
}

function picture(text: string): SVGSVGElement {
  const q = encode(text, { ecc: 'M', border: 4 });
  let d = '';
  for (let y = 0; y < q.size; y++) for (let x = 0; x < q.size; x++) if (q.data[y]![x]) d += `M${x} ${y}h1v1h-1z`;
  const svg = s('svg', { viewBox: `0 0 ${q.size} ${q.size}`, role: 'img', 'aria-label': t('handover.code'), 'shape-rendering': 'crispEdges' });
  svg.append(s('rect', { width: q.size, height: q.size, fill: '#fff' }), s('path', { d, fill: '#000' }));
  return svg;
}
