// Small, typed element builders. Nothing here parses markup: text is always
// text, which the page's Trusted Types policy also enforces.

type Child = Node | string | null | undefined | false;
type Props = {
  class?: string;
  on?: Record<string, (e: Event) => void>;
  attrs?: Record<string, string | number | boolean | null | undefined>;
};

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  apply(e, props, children);
  return e;
}

const SVG = 'http://www.w3.org/2000/svg';

export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attrs: Record<string, string | number> = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const e = document.createElementNS(SVG, tag);
  apply(e, { attrs }, children);
  return e;
}

function apply(e: Element, p: Props, children: Child[]): void {
  if (p.class) e.setAttribute('class', p.class);
  for (const [k, v] of Object.entries(p.attrs ?? {})) {
    if (v === null || v === undefined || v === false) continue;
    e.setAttribute(k, v === true ? '' : String(v));
  }
  for (const [k, f] of Object.entries(p.on ?? {})) e.addEventListener(k, f);
  for (const c of children) if (c) e.append(c);
}

/** A button that runs once at a time: disabled while its action is pending. */
export function button(
  label: string,
  kind: 'primary' | 'secondary' | 'quiet' | 'small',
  act: () => void | Promise<void>,
  id?: string,
): HTMLButtonElement {
  const b = h('button', { class: `btn ${kind}`, attrs: { type: 'button', id } }, label);
  b.addEventListener('click', async () => {
    if (b.getAttribute('aria-disabled') === 'true') return;
    b.setAttribute('aria-disabled', 'true');
    try {
      await act();
    } finally {
      b.removeAttribute('aria-disabled');
    }
  });
  return b;
}

/** Line drawings in the page's own hand; decorative, so hidden from readers. */
export function icon(name: keyof typeof paths, size = 24): SVGSVGElement {
  const g = s('svg', {
    viewBox: '0 0 24 24', width: size, height: size, fill: 'none', stroke: 'currentColor',
    'stroke-width': 1.75, 'stroke-linecap': 'round', 'stroke-linejoin': 'round',
    'aria-hidden': 'true', focusable: 'false', class: 'icon',
  });
  for (const d of paths[name]) g.append(s('path', { d }));
  return g;
}

const paths = {
  passport: ['M6 3h12a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1z', 'M12 6.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8z', 'M8 10.5h8', 'M12 6.5c-2.2 2.6-2.2 5.400 0 8 2.200-2.600 2.200-5.400 0-8z', 'M9 18h6'],
  card: ['M3.500 5.500h17a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1h-17a1 1 0 0 1-1-1v-11a1 1 0 0 1 1-1z', 'M8 9a1.700 1.700 0 1 0 0 3.400A1.700 1.700 0 0 0 8 9z', 'M5.300 15.800c.4-1.500 1.400-2.200 2.700-2.200s2.300.7 2.700 2.200', 'M14 10h4.500', 'M14 13.500h3'],
  face: ['M12 3.500c3.600 0 6 2.800 6 7 0 4.800-2.700 9-6 9s-6-4.200-6-9c0-4.200 2.400-7 6-7z', 'M9.700 10.500v.8', 'M14.300 10.500v.8', 'M10 15c1.200 1 2.800 1 4 0'],
  lock: ['M6.500 10.500h11a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1z', 'M8.500 10.500V8a3.500 3.500 0 0 1 7 0v2.500'],
  check: ['M5 12.500l4.500 4.500L19 7.500'],
  retry: ['M19 12a7 7 0 1 1-2-4.900', 'M19.500 4v4h-4'],
  warn: ['M12 4l9 15.500H3z', 'M12 10v4.500', 'M12 17v.3'],
  upload: ['M12 15.500V5', 'M8 8.500L12 4.500l4 4', 'M4.500 15v3.500a1 1 0 0 0 1 1h13a1 1 0 0 0 1-1V15'],
  swap: ['M7 8h11l-3-3', 'M17 16H6l3 3'],
  torch: ['M13 3L6 13.500h5L10.500 21 18 10h-5.500z'],
  close: ['M6 6l12 12', 'M18 6L6 18'],
  back: ['M14.500 5.500L8 12l6.500 6.500'],
  next: ['M9.500 5.500L16 12l-6.500 6.500'],
  clock: ['M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17z', 'M12 7.500V12l3 2'],
  link: ['M10 14a4 4 0 0 0 5.700 0l3-3A4 4 0 0 0 13 5.300l-1 1', 'M14 10a4 4 0 0 0-5.700 0l-3 3A4 4 0 0 0 11 18.700l1-1'],
  camera: ['M4 7.500h3.500L9 5h6l1.500 2.500H20a1 1 0 0 1 1 1v9.500a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V8.500a1 1 0 0 1 1-1z', 'M12 9.500a3.700 3.700 0 1 0 0 7.400 3.700 3.700 0 0 0 0-7.400z'],
  phone: ['M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1z', 'M10.500 18h3'],
  person: ['M12 4a3.700 3.700 0 1 0 0 7.400A3.700 3.700 0 0 0 12 4z', 'M5 20c.6-3.700 3.300-5.800 7-5.800s6.400 2.100 7 5.800'],
  help: ['M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17z', 'M9.700 9.700c.2-1.400 1.100-2.100 2.400-2.100 1.400 0 2.400.9 2.400 2.100 0 1.800-2.500 2-2.500 3.900', 'M12 16.500v.2'],
  auto: ['M4 8V5a1 1 0 0 1 1-1h3', 'M16 4h3a1 1 0 0 1 1 1v3', 'M20 16v3a1 1 0 0 1-1 1h-3', 'M8 20H5a1 1 0 0 1-1-1v-3', 'M9 15.500l3-7.500 3 7.500', 'M10.100 13h3.800'],
  trash: ['M5 7h14', 'M9.500 7V4.500h5V7', 'M7 7l.8 12.500h8.400L17 7'],
} as const;

export type IconName = keyof typeof paths;
