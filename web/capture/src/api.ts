// The page's side of the HTTP API: typed answers, and problem documents as errors.
// tus.ts sends the photos.

import type { LiveCheck } from './checks';

export type Kind = 'document_front' | 'document_back' | 'selfie' | 'selfie_burst' | 'selfie_challenge';

/** Kinds that show the person. */
export const isFace = (k: Kind): boolean => k === 'selfie' || isFilm(k);

/** Kinds that are frames, which no file of one's own can stand in for. */
export const isFilm = (k: Kind): boolean => k === 'selfie_burst' || k === 'selfie_challenge';
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
  expires_in: number;
  token_expires_in: number;
  live: LiveCheck[];
  assisted?: boolean;
  /** The policy wants the face lit by the screen during selfie_burst. */
  burst_light?: boolean;
  /** By when a person will have looked, where the policy promises it. */
  review_due?: string;
  /** A session of a sandbox key: photos are not checked. */
  test?: boolean;
}

/** Turns of the head, drawn for this session, for one answer. */
export interface Challenge {
  nonce: string;
  steps: { turn: 'left' | 'right' | 'up' | 'down'; at_ms: number; for_ms: number }[];
  tail_ms: number;
  frames: number;
  left: number;
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
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/** The page's side of the API: one session, one token that is renewed in time. */
export class API {
  private renewAt = Infinity; // on the clock of performance.now(): the wall's may be wrong
  private renewing: Promise<void> | null = null;

  constructor(private token: string, private readonly kept: (token: string) => void = () => undefined) {}

  status(): Promise<Capture> {
    return this.json<Capture>('GET', '/v1/capture').then((c) => {
      this.lasts(c.token_expires_in);
      return c;
    });
  }

  consent(body: { accepted: true; text_version: string; locale: string }): Promise<Capture> {
    return this.json('POST', '/v1/capture/consent', body);
  }

  submit(): Promise<Capture> { return this.json('POST', '/v1/capture/submit', {}); }

  challenge(hints: string[]): Promise<Challenge> { return this.json('POST', '/v1/capture/challenge', { hints }); }

  /** Another way than the challenge: a person looks at the case. */
  assistance(): Promise<Capture> { return this.json('POST', '/v1/capture/challenge/assistance', {}); }

  handover(): Promise<{ url: string; expires_in: number }> { return this.json('POST', '/v1/capture/handover', {}); }

  /** Takes another token of the same session, e.g. from a link that was opened anew. */
  use(token: string): void {
    this.token = token;
    this.renewAt = Infinity;
  }

  private lasts(seconds: number): void {
    this.renewAt = performance.now() + seconds * 750; // with a quarter left
  }

  /** The token, renewed when it will soon end. A renewal that fails is tried again with the next request. */
  async fresh(): Promise<string> {
    if (performance.now() >= this.renewAt) {
      this.renewing ??= ask<Ticket>('POST', '/v1/capture/token', this.token, {}).then((t) => {
        this.token = t.client_token;
        this.lasts(t.expires_in);
        this.kept(t.client_token);
      }).catch(() => undefined).finally(() => { this.renewing = null; });
      await this.renewing;
    }
    return this.token;
  }

  private async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    return ask<T>(method, path, await this.fresh(), body);
  }
}

interface Ticket { client_token: string; expires_in: number }

/** Exchanges what a QR code carried for a token of this device. It works once. */
export async function claim(token: string): Promise<string> {
  return (await ask<Ticket>('POST', '/v1/capture/handover/claim', token, {})).client_token;
}

async function ask<T>(method: string, path: string, token: string, body?: unknown): Promise<T> {
  let r: Response;
  try {
    r = await fetch(path, {
      method,
      headers: {
        Authorization: `Bearer ${token}`,
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
  if (!r.ok || doc === null) throw problemOf(r.status, doc, r.headers.get('Retry-After'));
  return doc as T;
}

export function problemOf(status: number, doc: unknown, retryAfter: string | null): Problem {
  const d = (doc ?? {}) as { code?: unknown; detail?: unknown };
  const seconds = retryAfter === null ? NaN : Number(retryAfter);
  return new Problem(
    status,
    typeof d.code === 'string' ? d.code : '',
    typeof d.detail === 'string' ? d.detail : '',
    Number.isFinite(seconds) ? seconds * 1000 : null,
  );
}
