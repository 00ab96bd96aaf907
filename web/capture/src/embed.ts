// What a page that embeds this one in a frame is told: what happened, never what
// was seen. The server's frame-ancestors decides who may embed; its list of origins
// comes with the page, and nobody else is told anything.

type Events = {
  ready: Record<string, never>;
  state: { state: string };
  photo: { kind: string };
  assist: Record<string, never>;
  complete: { state: string };
  error: { code: string };
};

const parents = (document.querySelector<HTMLMetaElement>('meta[name="proofline-parents"]')?.content ?? '').split(' ').filter(Boolean);

/** A message goes to each allowed origin; the browser delivers it only to the one that is there. */
export function emit<K extends keyof Events>(type: K, detail: Events[K]): void {
  if (window.parent === window) return;
  for (const origin of parents) window.parent.postMessage({ source: 'proofline', version: 1, type, detail }, origin);
}
