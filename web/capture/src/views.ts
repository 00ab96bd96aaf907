// The steps that are ordinary pages: consent, choice, review, result, trouble.
import type { Capture, DocumentType, Kind } from './api';
import { isFace } from './api';
import { onBack } from './back';
import { button, h, icon } from './dom';
import type { IconName } from './dom';
import { chooseLanguage, hint, language, languages, splitHint, t } from './i18n';
import type { Step } from './shell';
import { page, show } from './shell';

/** The version of the consent's wording; the server records it with the consent. */
export const CONSENT_TEXT = 'capture-consent-1';

export function kindTitle(kind: Kind, type?: DocumentType): string {
  return kind === 'document_front' && type === 'passport' ? t('kind.document_front.passport') : t(`kind.${kind}`);
}

function badge(name: IconName, tone = ''): HTMLElement {
  return h('div', { class: `badge ${tone}` }, icon(name, 36));
}

function point(name: IconName, text: string): HTMLElement {
  return h('li', {}, h('span', { class: 'point' }, icon(name)), text);
}

export function consentView(
  status: Capture,
  step: Step,
  agree: () => Promise<void>,
  redraw: () => void,
  device: () => void,
): void {
  const picker = h('select', { attrs: { id: 'language', 'aria-label': t('language') } });
  for (const [code, l] of Object.entries(languages)) {
    picker.append(h('option', { attrs: { value: code, selected: code === language(), lang: code } }, l.name));
  }
  picker.addEventListener('change', () => {
    chooseLanguage(picker.value);
    redraw();
    document.getElementById('language')?.focus();
  });
  show(page(
    { id: 'consent', step, corner: picker, title: t('consent.title'), lead: t('consent.lead') },
    [
      h('ul', { class: 'points' },
        point('card', t('consent.need.document')),
        point('face', t('consent.need.face')),
      ),
      h('section', { class: 'panel' },
        h('h2', {}, icon('lock', 20), t('consent.privacy.title')),
        h('p', {}, t('consent.privacy.text')),
        status.retention_days ? h('p', {}, t('consent.privacy.days', { days: status.retention_days })) : null,
      ),
    ],
    [
      button(t('consent.agree'), 'primary', agree, 'agree'),
      button(t('handover.button'), 'secondary', device, 'device'),
      button(t('consent.refuse'), 'quiet', () => refusedView(redraw), 'refuse'),
    ],
  ), t('consent.title'));
}

function refusedView(back: () => void): void {
  show(page(
    { id: 'refused', title: t('refused.title'), lead: t('refused.text'), art: badge('check') },
    [], [button(t('refused.back'), 'secondary', back)],
  ), t('refused.title'));
}

export function chooseView(types: DocumentType[], step: Step, chosen: (d: DocumentType) => void, help: () => void): void {
  const list = h('div', { class: 'choices' });
  for (const d of types) {
    const b = h('button', { class: 'choice', attrs: { type: 'button', 'data-type': d } },
      h('span', { class: 'point' }, icon(d === 'passport' ? 'passport' : 'card', 28)),
      h('span', { class: 'choice-text' }, h('strong', {}, t(`type.${d}`)), h('span', {}, t(`type.${d}.sub`))),
      icon('next', 20),
    );
    b.addEventListener('click', () => chosen(d));
    list.append(b);
  }
  show(page({ id: 'choose', step, title: t('choose.title'), lead: t('choose.lead') }, [list],
    [button(t('help.button'), 'quiet', help, 'help')]), t('choose.title'));
}

export function reviewView(
  needs: Kind[],
  type: DocumentType,
  step: Step,
  thumbs: Map<Kind, string>,
  waiting: Kind[],
  retake: (k: Kind) => void,
  send: () => Promise<void>,
): void {
  const list = h('ul', { class: 'shots' });
  for (const k of needs) {
    const url = thumbs.get(k);
    list.append(h('li', {},
      url
        ? h('img', { attrs: { src: url, alt: '' } })
        : h('span', { class: 'shot-blank' }, icon(isFace(k) ? 'face' : 'card', 32)),
      h('span', { class: 'shot-text' },
        h('strong', {}, kindTitle(k, type)),
        waiting.includes(k)
          ? h('span', { class: 'wait' }, icon('clock', 18), t('review.waiting'))
          : h('span', { class: 'ok' }, icon('check', 18), t('review.ok')),
      ),
      h('button', {
        class: 'btn small', on: { click: () => retake(k) },
        attrs: { type: 'button', 'aria-label': `${t(waiting.includes(k) ? 'review.show' : 'review.retake')}: ${kindTitle(k, type)}` },
      }, t(waiting.includes(k) ? 'review.show' : 'review.retake')),
    ));
  }
  const b = button(t('review.send'), 'primary', async () => {
    b.textContent = t('review.sending');
    try {
      await send();
    } finally {
      b.textContent = t('review.send');
    }
  }, 'send');
  b.hidden = waiting.length > 0; // comes by itself when all has arrived
  show(page({ id: 'review', step, title: t('review.title'), lead: t(waiting.length ? 'review.lead.waiting' : 'review.lead') }, [list], [b]), t('review.title'));
}

/** When a person may expect an answer, in the page's language and the person's zone. */
function dueText(status: Capture): string | null {
  if (!status.review_due) return null;
  const due = new Date(status.review_due);
  if (due.getTime() < Date.now()) return t('result.review.late');
  const when = new Intl.DateTimeFormat(language(), { weekday: 'long', day: 'numeric', month: 'long', hour: 'numeric', minute: '2-digit' }).format(due);
  return t('result.review.due', { when });
}

/** Shows where the session stands; again starts the next attempt. */
export function resultView(status: Capture, again: () => void, onLeave: () => void): void {
  const final = (id: string, tone: string, name: IconName, title: string, text: string, more: string | null = null): void => {
    const art = tone === 'working'
      ? h('div', { class: 'spinner', attrs: { 'aria-hidden': true } })
      : badge(name, tone);
    show(page({ id, title, lead: text, art, tone: `result ${tone}` },
      [more ? h('p', { class: 'due' }, more) : null], []), title, onLeave);
  };
  switch (status.state) {
    case 'approved':
      return final('approved', 'good', 'check', t('result.approved.title'), t('result.approved.text'));
    case 'rejected': {
      const why = status.hints?.[0];
      return final('rejected', 'bad', 'warn', t('result.rejected.title'),
        (why ? hint(why.code, why.text) + ' ' : '') + t('result.rejected.text'));
    }
    case 'pending_review':
      return final('pending_review', 'calm', 'clock', t('result.review.title'), t('result.review.text'), dueText(status));
    case 'expired':
      return final('expired', 'bad', 'clock', t('result.expired.title'), t('result.expired.text'));
    case 'needs_resubmission': {
      const title = t('result.again.title');
      const list = h('ul', { class: 'hints' });
      for (const x of status.hints ?? []) {
        const [what, todo] = splitHint(hint(x.code, x.text, status.document_type));
        list.append(h('li', { attrs: { 'data-code': x.code } },
          h('span', { class: 'point' }, icon(x.kind && isFace(x.kind) ? 'face' : 'card')),
          h('span', {}, x.kind ? h('span', { class: 'hint-kind' }, kindTitle(x.kind, status.document_type)) : null,
            h('strong', {}, what), todo ? h('span', {}, todo) : null),
        ));
      }
      return show(page(
        { id: 'needs_resubmission', title, art: badge('retry', 'warn'), tone: 'result warn' },
        [list, status.attempts_left > 0 ? h('p', { class: 'small' }, t('result.again.left', { n: status.attempts_left })) : null],
        [button(t('result.again.start'), 'primary', again, 'again')],
      ), title, onLeave);
    }
    default:
      return final('working', 'working', 'clock', t('result.working.title'), t('result.working.text'));
  }
}

const titles = { link: 'link', expired: 'expired', handover: 'handed' } as const;

/** kept: photos wait in this tab for a link that works. */
export function linkView(why: 'link' | 'expired' | 'handover', kept = false): void {
  onBack(null);
  const title = t(`${titles[why]}.title`);
  show(page({ id: 'link', title, lead: t(`${titles[why]}.text`), art: badge('link', 'warn'), tone: 'result' },
    [kept ? h('p', { class: 'small' }, t('expired.kept')) : null], []), title);
}

export function errorView(text: string, again: () => void): void {
  const title = t('error.title');
  show(page(
    { id: 'error', title, lead: text, art: badge('warn', 'warn'), tone: 'result' },
    [], [button(t('error.again'), 'primary', again, 'retry')],
  ), title);
}

