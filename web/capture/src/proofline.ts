// proofline.js: puts the capture page into a frame of another page and passes on
// what happens there. It is a script of its own for the embedding page; it holds no
// token and sees no photo.

export interface Events {
  /** The page is there and has its session. */
  ready: Record<string, never>;
  /** The session's state, at first and whenever it changed. */
  state: { state: State };
  /** A photo was accepted. */
  photo: { kind: 'document_front' | 'document_back' | 'selfie' | 'selfie_burst' | 'selfie_challenge' };
  /** The person asked that somebody looks at the photos. */
  assist: Record<string, never>;
  /** Nothing more is asked of the person. The outcome to rely on is the webhook's. */
  complete: { state: State };
  /** The page can not go on: token_expired, unauthorized, not_found. */
  error: { code: string };
}

export type State =
  | 'initiated' | 'capture_in_progress' | 'submitted' | 'pending_review'
  | 'approved' | 'rejected' | 'expired' | 'needs_resubmission';

export interface Options {
  /** The session's capture_url. */
  url: string;
  /** Where the frame goes: an element or a selector. */
  container: Element | string;
  /** The frame's accessible name. */
  title?: string;
  /** Origins that the frame may be of. Give yours; without it, any https origin that url names. */
  origins?: string[];
  on?: { [K in keyof Events]?: (detail: Events[K]) => void };
}

export interface Capture {
  readonly element: HTMLIFrameElement;
  /** Removes the frame, which stops the camera. */
  close(): void;
}

const types: ReadonlySet<string> = new Set(['ready', 'state', 'photo', 'assist', 'complete', 'error']);

export function open(o: Options): Capture {
  const url = new URL(o.url);
  const local = url.hostname === 'localhost' || url.hostname === '127.0.0.1';
  if (url.protocol !== 'https:' && !(local && url.protocol === 'http:')) throw new Error('proofline: the capture page must be https');
  if (o.origins && !o.origins.includes(url.origin)) throw new Error(`proofline: ${url.origin} is not one of the configured origins`);
  const container = typeof o.container === 'string' ? document.querySelector(o.container) : o.container;
  if (!container) throw new Error('proofline: there is no such container');

  const frame = document.createElement('iframe');
  frame.title = o.title ?? 'Identity check';
  frame.allow = `camera ${url.origin}; clipboard-write ${url.origin}`;
  frame.referrerPolicy = 'no-referrer';
  // No top navigation, no popups, no downloads: it needs none of them.
  frame.setAttribute('sandbox', 'allow-scripts allow-same-origin allow-forms');
  frame.style.cssText = 'border:0;width:100%;height:100%;min-height:640px;display:block';

  const heard = (e: MessageEvent): void => {
    if (e.origin !== url.origin || e.source !== frame.contentWindow) return;
    const m = e.data as { source?: unknown; version?: unknown; type?: unknown; detail?: unknown } | null;
    if (typeof m !== 'object' || m === null || m.source !== 'proofline' || m.version !== 1) return;
    if (typeof m.type !== 'string' || !types.has(m.type) || typeof m.detail !== 'object' || m.detail === null) return;
    (o.on?.[m.type as keyof Events] as ((d: unknown) => void) | undefined)?.(m.detail);
  };
  window.addEventListener('message', heard);
  frame.src = url.href;
  container.append(frame);
  return {
    element: frame,
    close(): void {
      window.removeEventListener('message', heard);
      frame.remove();
    },
  };
}
