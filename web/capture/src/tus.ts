// Sends one photo in parts (tus 1.0) and goes on until it is there: after a break
// it asks how much arrived and continues from that byte. Each part carries its
// digest, so that what is joined is what was sent. A creation whose answer was
// lost finds the same upload again, by the photo's digest.
import type { API, UploadAnswer } from './api';
import { Problem, problemOf } from './api';

export interface Job { kind: string; type: string; photo: Blob; insist: boolean }
export interface Waiting { attempt: number; inMS: number; offline: boolean; now: () => void }
export interface Tell { progress: (fraction: number) => void; waiting: (w: Waiting | null) => void }

const PATH = '/v1/capture/uploads';
const LARGEST = 1 << 20;
const SMALLEST = 32 << 10;
/** A connection on which nothing moves for so long is given up. */
const STALL_MS = 20_000;

export async function upload(api: API, job: Job, tell: Tell, stop: AbortSignal): Promise<UploadAnswer> {
  const { photo } = job;
  let where: string | null = null;
  let offset = 0;
  let part = LARGEST;
  let lost = false; // ask where the upload stands before going on
  let restarts = 0;
  const whole = await digest(photo);
  for (let attempt = 1; ; ) {
    try {
      if (!where) {
        where = await create(api, job, whole, stop);
        offset = 0;
      } else if (lost) {
        const r = await request(api, 'HEAD', where, {}, null, stop);
        offset = Number(r.getResponseHeader('Upload-Offset'));
      }
      lost = false;
      while (offset < photo.size) {
        const piece = photo.slice(offset, offset + part);
        const sum = await digest(piece);
        const at = offset;
        const r = await request(api, 'PATCH', where, {
          'Content-Type': 'application/offset+octet-stream',
          'Upload-Offset': String(offset),
          ...(sum ? { 'Upload-Checksum': `sha256 ${base64(sum)}` } : {}),
        }, piece, stop, (n) => tell.progress(Math.min(1, (at + n) / photo.size)));
        const next = Number(r.getResponseHeader('Upload-Offset'));
        if (!(next > offset)) throw new Problem(0, 'network', 'no progress');
        offset = next;
        attempt = 1;
        tell.progress(offset / photo.size);
      }
      tell.progress(1);
      const r = await request(api, 'GET', where, {}, null, stop);
      const answer = (JSON.parse(r.responseText) as { photo?: UploadAnswer }).photo;
      if (!answer) throw new Problem(503, 'busy', 'not judged yet', 1000);
      return answer;
    } catch (e) {
      if (!(e instanceof Problem) || stop.aborted) throw e;
      if (where && (e.status === 404 || e.status === 410 && e.code === 'upload_gone') && restarts++ < 3) {
        where = null; // expired or pushed out: begin again
        continue;
      }
      if (!where && (e.status === 404 || e.status === 405 || e.status === 501)) return plain(api, job, tell, stop);
      lost = true;
      if (e.status === 409 && e.code === 'upload_offset') {
        await pause(1, new Problem(0, '', '', 150 + 300 * Math.random()), null, stop); // another tab was faster
        continue;
      }
      if (!e.temporary && e.code !== 'checksum_mismatch') throw e;
      if (e.status === 0) part = Math.max(SMALLEST, part / 2);
      await pause(attempt++, e, tell.waiting, stop);
      tell.waiting(null);
      if (stop.aborted) throw e;
    }
  }
}

async function create(api: API, job: Job, whole: ArrayBuffer | null, stop: AbortSignal): Promise<string> {
  const meta: Record<string, string> = { kind: job.kind, document_type: job.type };
  if (job.insist) meta['insist'] = 'true';
  if (whole) meta['sha256'] = [...new Uint8Array(whole)].map((b) => b.toString(16).padStart(2, '0')).join('');
  const r = await request(api, 'POST', PATH, {
    'Upload-Length': String(job.photo.size),
    'Upload-Metadata': Object.entries(meta).map(([k, v]) => `${k} ${btoa(v)}`).join(','),
  }, null, stop);
  // Its last part: the page may be reached under another name than the link's.
  const id = r.getResponseHeader('Location')?.split('/').pop();
  if (!id) throw new Problem(0, 'network', 'no location');
  return `${PATH}/${id}`;
}

/** One request for servers or proxies that do not let tus through. */
async function plain(api: API, job: Job, tell: Tell, stop: AbortSignal): Promise<UploadAnswer> {
  for (let attempt = 1; ; attempt++) {
    try {
      const r = await request(api, 'POST', `/v1/capture/evidence/${job.kind}?document_type=${job.type}${job.insist ? '&insist=true' : ''}`,
        { 'Content-Type': job.photo.type || 'application/octet-stream' }, job.photo, stop, (n) => tell.progress(n / job.photo.size));
      return JSON.parse(r.responseText) as UploadAnswer;
    } catch (e) {
      if (!(e instanceof Problem) || !e.temporary || stop.aborted) throw e;
      await pause(attempt, e, tell.waiting, stop);
      tell.waiting(null);
      if (stop.aborted) throw e;
    }
  }
}

/** XMLHttpRequest, because fetch reports no upload progress. */
async function request(
  api: API, method: string, path: string, header: Record<string, string>, body: Blob | null, stop: AbortSignal,
  sent: (bytes: number) => void = () => undefined,
): Promise<XMLHttpRequest> {
  const token = await api.fresh();
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    let timer: ReturnType<typeof setTimeout>;
    const alive = (ms = STALL_MS): void => {
      clearTimeout(timer);
      timer = setTimeout(() => x.abort(), ms);
    };
    const over = (): void => {
      clearTimeout(timer);
      stop.removeEventListener('abort', abort);
    };
    const abort = (): void => x.abort();
    x.open(method, path);
    x.setRequestHeader('Authorization', `Bearer ${token}`);
    x.setRequestHeader('Tus-Resumable', '1.0.0');
    for (const [k, v] of Object.entries(header)) x.setRequestHeader(k, v);
    x.upload.onprogress = (e) => {
      alive();
      sent(e.loaded);
    };
    x.upload.onload = () => alive(90_000); // the gate judges after the last byte
    x.onload = () => {
      over();
      if (x.status >= 200 && x.status < 300) return resolve(x);
      let doc: unknown = null;
      try {
        doc = JSON.parse(x.responseText);
      } catch {
        /* a proxy's page */
      }
      reject(problemOf(x.status, doc, x.getResponseHeader('Retry-After')));
    };
    x.onerror = x.onabort = () => {
      over();
      reject(new Problem(0, stop.aborted ? 'aborted' : 'network', 'no answer'));
    };
    stop.addEventListener('abort', abort);
    alive(body ? STALL_MS : 90_000);
    x.send(body);
  });
}

async function digest(b: Blob): Promise<ArrayBuffer | null> {
  if (!globalThis.crypto?.subtle) return null; // not a secure context
  return crypto.subtle.digest('SHA-256', await b.arrayBuffer());
}

function base64(b: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(b)));
}

/** Waits: what the server asked for, else 1, 2, 4 … 30 s with jitter; shorter when the network returns. */
function pause(attempt: number, e: Problem, tell: ((w: Waiting) => void) | null, stop: AbortSignal): Promise<void> {
  const backoff = Math.min(30_000, 1000 * 2 ** (attempt - 1)) * (0.75 + Math.random() / 2);
  const inMS = tell ? Math.max(e.retryAfterMS ?? 0, e.retryAfterMS ? 0 : backoff) : e.retryAfterMS ?? 0;
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      window.removeEventListener('online', done);
      stop.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, inMS);
    window.addEventListener('online', done);
    stop.addEventListener('abort', done);
    tell?.({ attempt, inMS, offline: e.status === 0, now: done });
  });
}
