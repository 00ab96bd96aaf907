// What is around every step: the progress bar, the heading that receives
// focus, the region that speaks to screen readers.
import { h } from './dom';
import { t } from './i18n';

const root = document.getElementById('app')!;
const speaker = h('div', { class: 'sr', attrs: { role: 'status', 'aria-live': 'polite' } });
document.body.append(speaker);

let leave: (() => void) | null = null;

export interface Step { n: number; total: number }

/**
 * Shows a view. The heading is focused so that a screen reader reads it and
 * the keyboard goes on from there. onLeave runs before the next view.
 */
export function show(view: HTMLElement, heading: string, onLeave: (() => void) | null = null): void {
  leave?.();
  leave = onLeave;
  root.replaceChildren(view);
  document.title = `${heading} · ${t('page.title')}`;
  window.scrollTo(0, 0);
  view.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true });
}

let banner: HTMLElement | null = null;

/** Says on every view that nothing here is real. */
export function testMode(on: boolean): void {
  if (!on) {
    banner?.remove();
    banner = null;
    return;
  }
  banner ??= h('aside', { class: 'test-mode', attrs: { 'aria-label': t('test.banner') } });
  banner.textContent = t('test.banner');
  document.body.prepend(banner);
}

/** Says something politely; the same text twice in a row is said once. */
export function say(text: string): void {
  if (speaker.textContent !== text) speaker.textContent = text;
}

/** An ordinary page: progress, picture, heading, content, actions at the thumb. */
export function page(
  o: { step?: Step; corner?: Node; title: string; lead?: string; art?: Node; tone?: string; id: string },
  content: (Node | null)[],
  actions: (Node | null)[],
): HTMLElement {
  return h('div', { class: `page ${o.tone ?? ''}`, attrs: { 'data-view': o.id } },
    o.step ? h('header', {}, progress(o.step), o.corner ?? null) : h('div', { class: 'progress-space' }),
    h('main', {},
      o.art ? h('div', { class: 'art' }, o.art) : null,
      h('h1', { attrs: { tabindex: -1 } }, o.title),
      o.lead ? h('p', { class: 'lead' }, o.lead) : null,
      ...content,
    ),
    h('footer', { class: 'actions' }, ...actions),
  );
}

export function progress({ n, total }: Step): HTMLElement {
  const bar = h('div', {
    class: 'progress',
    attrs: {
      role: 'progressbar', 'aria-valuemin': 1, 'aria-valuemax': total, 'aria-valuenow': n,
      'aria-label': t('step.of', { n, total }),
    },
  });
  for (let i = 1; i <= total; i++) bar.append(h('span', { class: i <= n ? 'on' : '' }));
  return bar;
}
