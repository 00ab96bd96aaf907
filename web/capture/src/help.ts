// Ways on for whom the camera step does not work, whatever the reason.
import { onBack } from './back';
import { button, h, icon } from './dom';
import type { IconName } from './dom';
import { t } from './i18n';
import { page, show } from './shell';

export interface Ways {
  /** A file from this device. */
  file: HTMLElement;
  /** Another device. */
  device: () => void;
  /** Assisted: whatever photo is sent is kept, and a person looks at it. */
  assist: () => void;
  back: () => void;
}

export function helpView(w: Ways): void {
  const title = t('help.title');
  const way = (name: IconName, text: string, what: HTMLElement): HTMLElement =>
    h('li', {}, h('span', { class: 'point' }, icon(name)), h('div', { class: 'way' }, h('p', {}, text), what));
  show(page({ id: 'help', title, lead: t('help.lead') }, [
    h('ul', { class: 'ways' },
      way('upload', t('help.file'), w.file),
      way('phone', t('help.device'), button(t('handover.button'), 'small', w.device, 'device')),
      way('person', t('help.assist'), button(t('help.assist.button'), 'small', w.assist, 'assist')),
    ),
    h('p', { class: 'small' }, t('help.company')),
  ], [button(t('camera.close'), 'secondary', w.back)]), title);
  onBack(w.back);
}
