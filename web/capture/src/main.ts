// The flow. The server's status says what is still to do, so a reload, another
// tab or a second device go on where the session stands.
import type { Capture, DocumentType, Kind } from './api';
import { API, Problem } from './api';
import { chooseLanguage, language, t } from './i18n';
import type { Step } from './shell';
import { shoot } from './shoot';
import { dropTicket, takeTicket } from './ticket';
import { CONSENT_TEXT, chooseView, consentView, errorView, linkView, resultView, reviewView } from './views';

const thumbs = new Map<Kind, string>();

function boot(): void {
  chooseLanguage(...navigator.languages);
  const ticket = takeTicket();
  if (!ticket) {
    linkView();
    return;
  }
  const api = new API(ticket);
  let chosen: DocumentType | undefined; // until the first photo tells the server
  let resumed = false; // "Start again" was pressed after needs_resubmission
  let polling: ReturnType<typeof setTimeout> | undefined;

  const fail = (again: () => void) => (e: unknown): void => {
    if (e instanceof Problem && (e.status === 401 || e.status === 404)) {
      dropTicket();
      linkView();
    } else if (e instanceof Problem && (e.status === 409 || e.status === 410)) {
      // The session moved on, perhaps in another tab: show where it stands.
      void load();
    } else {
      errorView(t(e instanceof Problem && e.status === 0 ? 'error.offline' : 'error.text'), again);
    }
  };

  const load = (): Promise<void> => api.status().then(go, fail(() => void load()));

  const typeOf = (c: Capture): DocumentType | undefined =>
    c.documents.length === 1 ? c.documents[0]!.type
      : c.accepted.some((k) => k !== 'selfie') ? c.document_type ?? chosen : chosen ?? c.document_type;

  const needsOf = (c: Capture): Kind[] => {
    const type = typeOf(c);
    return c.documents.find((d) => d.type === type)?.needs ?? ['document_front', 'selfie'];
  };

  const stepAt = (c: Capture, name: string): Step => {
    const order = ['consent', ...(c.documents.length > 1 ? ['choose'] : []), ...needsOf(c), 'review'];
    return { n: Math.max(1, order.indexOf(name) + 1), total: order.length };
  };

  function go(c: Capture): void {
    clearTimeout(polling);
    switch (c.state) {
      case 'initiated':
      case 'capture_in_progress':
        break;
      case 'needs_resubmission':
        if (resumed) break;
        forget();
        resultView(c, () => {
          resumed = true;
          go(c);
        }, () => clearTimeout(polling));
        return;
      default:
        resumed = false;
        resultView(c, () => undefined, () => clearTimeout(polling));
        if (c.state === 'submitted' || c.state === 'pending_review') watch(c);
        if (c.state !== 'submitted') forget();
        return;
    }
    if (!c.consent) {
      consentView(c, stepAt(c, 'consent'), () =>
        api.consent({ accepted: true, text_version: CONSENT_TEXT, locale: language() }).then(go, fail(() => go(c))),
      () => go(c));
      return;
    }
    const type = typeOf(c);
    if (!type) {
      choose(c);
      return;
    }
    const needs = needsOf(c);
    const missing = needs.find((k) => !c.accepted.includes(k));
    if (missing) take(c, missing, type);
    else {
      reviewView(needs, type, stepAt(c, 'review'), thumbs, (k) => take(c, k, type),
        () => api.submit().then(go, fail(() => go(c))));
    }
  }

  function choose(c: Capture): void {
    chooseView(c.documents.map((d) => d.type), stepAt(c, 'choose'), (d) => {
      chosen = d;
      go(c);
    });
  }

  function take(c: Capture, kind: Kind, type: DocumentType): void {
    shoot({
      api, status: c, kind, type, step: stepAt(c, kind),
      done: (photo) => {
        const old = thumbs.get(kind);
        if (old) URL.revokeObjectURL(old);
        thumbs.set(kind, URL.createObjectURL(photo));
        resumed = false;
        void load();
      },
      back: () => {
        // Another kind of document can be chosen while none is sent.
        if (c.documents.length > 1 && !c.accepted.some((k) => k !== 'selfie')) choose(c);
        else go(c);
      },
      failed: fail(() => take(c, kind, type)),
    });
  }

  /** Asks again until the case is decided; slower while a person looks. */
  function watch(c: Capture): void {
    const every = c.state === 'pending_review' ? Math.max(15_000, c.poll_after_ms) : c.poll_after_ms;
    polling = setTimeout(() => {
      api.status().then((next) => {
        if (next.state === c.state) watch(next);
        else go(next);
      }, (e: unknown) => {
        if (e instanceof Problem && e.temporary) watch(c);
        else fail(() => void load())(e);
      });
    }, every);
  }

  void api.status().then((c) => {
    if (c.locale) chooseLanguage(c.locale);
    go(c);
  }, fail(() => void load()));
}

/** Frees the photos that the page still holds. */
function forget(): void {
  for (const url of thumbs.values()) URL.revokeObjectURL(url);
  thumbs.clear();
}

// Back and forward through the browser's page cache would show a stale step.
window.addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });
boot();
