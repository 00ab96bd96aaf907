// The page's side of the HTTP API: typed answers, problem documents as errors,
// and patience. A photo that was taken is sent again until it arrives.

export type Kind = 'document_front' | 'document_back' | 'selfie';
export type DocumentType = 'passport' | 'id_card' | 'residence_permit' | 'driving_licence';
export type State =
  | 'initiated' | 'capture_in_progress' | 'submitted' | 'pending_review'
  | 'approved' | 'rejected' | 'expired' | 'needs_resubmission';

export interface Region { x: number; y: number; w: number; h: number }
export interface Hint { code: string; text: string; kind?: Kind; regions?: Region[] }

/** What GET /v1/capture says: everything the page needs to go on anywhere. */
export interface Capture {
  session: string;
  state: State;
  attempt: number;
  attempts_left: number;
  consent: boolean;
  document_type?: DocumentType;
  documents: { type: DocumentType; needs: Kind[] }[];
  accepted: Kind[];
  hints?: Hint[];
  limits: { max_bytes: number };
  retention_days?: number;
  locale?: string;
  poll_after_ms: number;
  expires_at: string;
}

/** The gate's answer to one photo. Regions are pixels of the upright photo. */
export interface UploadAnswer {
  kind: Kind;
  accepted: boolean;
  kept: boolean;
  codes: string[];
  hint?: Hint;
}

/** An RFC 9457 problem, or a request that never got an answer (status 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly retryAfterMS: number | null = null,
  ) {
    super(detail);
  }
  /** True when the same request may succeed later, unchanged. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export interface Waiting { attempt: number; inMS: number; offline: boolean; now: () => void }

export class API {
  constructor(private readonly token: string, private readonly base = '') {}

  status(): Promise<Capture> { return this.json('GET', '/v1/capture'); }

  consent(body: { accepted: true; text_version: string; locale: string }): Promise<Capture> {
    return this.json('POST', '/v1/capture/consent', body);
  }

  submit(): Promise<Capture> { return this.json('POST', '/v1/capture/submit', {}); }

  /**
   * Sends one photo and keeps trying while the reason for failing is
   * temporary. The server knows a photo it has already taken by its digest,
   * so a repeated upload whose answer was lost does no harm.
   */
  async upload(
    kind: Kind,
    type: DocumentType,
    photo: Blob,
    insist: boolean,
    progress: (fraction: number) => void,
    waiting: (w: Waiting | null) => void,
    stop: AbortSignal,
  ): Promise<UploadAnswer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.send(kind, type, photo, insist, progress, stop);
      } catch (e) {
        if (!(e instanceof Problem) || !e.temporary || stop.aborted) throw e;
        await pause(attempt, e, waiting, stop);
        waiting(null);
      }
    }
  }

  private send(
    kind: Kind, type: DocumentType, photo: Blob, insist: boolean, progress: (f: number) => void, stop: AbortSignal,
  ): Promise<UploadAnswer> {
    // XMLHttpRequest, because fetch reports no upload progress.
    return new Promise((resolve, reject) => {
      const x = new XMLHttpRequest();
      x.open('POST', `${this.base}/v1/capture/evidence/${kind}?document_type=${type}${insist ? '&insist=true' : ''}`);
      x.setRequestHeader('Authorization', `Bearer ${this.token}`);
      x.setRequestHeader('Content-Type', photo.type || 'application/octet-stream');
      x.responseType = 'json';
      x.timeout = 120_000;
      x.upload.onprogress = (e) => { if (e.lengthComputable) progress(e.loaded / e.total); };
      x.onload = () => {
        if (x.status >= 200 && x.status < 300 && x.response) resolve(x.response as UploadAnswer);
        else reject(problem(x.status, x.response, x.getResponseHeader('Retry-After')));
      };
      x.onerror = x.ontimeout = () => reject(new Problem(0, 'network', 'no answer'));
      x.onabort = () => reject(new Problem(0, 'aborted', 'aborted'));
      stop.addEventListener('abort', () => x.abort(), { once: true });
      x.send(photo);
    });
  }

  private async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    let r: Response;
    try {
      r = await fetch(this.base + path, {
        method,
        headers: {
          Authorization: `Bearer ${this.token}`,
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        credentials: 'omit',
        cache: 'no-store',
        redirect: 'error',
      });
    } catch {
      throw new Problem(0, 'network', 'no answer');
    }
    const doc: unknown = await r.json().catch(() => null);
    if (!r.ok || doc === null) throw problem(r.status, doc, r.headers.get('Retry-After'));
    return doc as T;
  }
}

function problem(status: number, doc: unknown, retryAfter: string | null): Problem {
  const d = (doc ?? {}) as { code?: unknown; detail?: unknown };
  const seconds = retryAfter === null ? NaN : Number(retryAfter);
  return new Problem(
    status,
    typeof d.code === 'string' ? d.code : '',
    typeof d.detail === 'string' ? d.detail : '',
    Number.isFinite(seconds) ? seconds * 1000 : null,
  );
}

/** Waits: what the server asked for, else 1, 2, 4 … 30 s with jitter; shorter when the network returns. */
function pause(attempt: number, e: Problem, tell: (w: Waiting) => void, stop: AbortSignal): Promise<void> {
  const backoff = Math.min(30_000, 1000 * 2 ** (attempt - 1)) * (0.75 + Math.random() / 2);
  const inMS = Math.max(e.retryAfterMS ?? 0, backoff);
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      window.removeEventListener('online', done);
      resolve();
    };
    const timer = setTimeout(done, inMS);
    window.addEventListener('online', done);
    stop.addEventListener('abort', done, { once: true });
    tell({ attempt, inMS, offline: e.status === 0, now: done });
  });
}
