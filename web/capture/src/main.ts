// The flow. The server's status says what is still to do, so a reload, another
// tab or a second device go on where the session stands.
import { sendingView } from './answer';
import type { Capture, DocumentType, Kind } from './api';
import { API, Problem, isFace, isFilm } from './api';
import { onBack } from './back';
import { fitFile } from './camera';
import { h } from './dom';
import { emit } from './embed';
import { handoverView } from './handover';
import { helpView } from './help';
import { chooseLanguage, language, t } from './i18n';
import { outbox } from './outbox';
import type { Step } from './shell';
import { testMode } from './shell';
import type { Shooting } from './shoot';
import { fileInput, shoot } from './shoot';
import { send } from './answer';
import { dropTicket, keepTicket, takeTicket } from './ticket';
import { CONSENT_TEXT, chooseView, consentView, errorView, linkView, resultView, reviewView } from './views';

const thumbs = new Map<Kind, string>();

async function boot(): Promise<void> {
  chooseLanguage(...navigator.languages);
  let ticket: string | null;
  try {
    ticket = await takeTicket();
  } catch (e) {
    if (e instanceof Problem && e.temporary) errorView(t('error.offline'), () => location.reload());
    else linkView('handover');
    return;
  }
  if (!ticket) {
    linkView('link');
    return;
  }
  flow(new API(ticket, keepTicket));
}

function flow(api: API): void {
  let session = '';
  let chosen: DocumentType | undefined; // until the first photo tells the server
  let resumed = false; // "Start again" was pressed after needs_resubmission
  let assisted = false; // a person will look: photos are kept as they are
  let polling: ReturnType<typeof setTimeout> | undefined;

  const fail = (again: () => void) => (e: unknown): void => {
    if (e instanceof Problem && (e.status === 401 || e.status === 404)) {
      dropTicket();
      emit('error', { code: e.code || 'unauthorized' });
      linkView(e.code === 'token_expired' ? 'expired' : 'link', outbox.all().length > 0);
    } else if (e instanceof Problem && (e.status === 409 || e.status === 410)) {
      // The session moved on, perhaps in another tab: show where it stands.
      outbox.clear();
      void load();
    } else {
      errorView(t(e instanceof Problem && e.status === 0 ? 'error.offline' : 'error.text'), again);
    }
  };

  const load = (): Promise<void> => api.status().then(go, fail(() => void load()));

  // A link that is opened in this tab goes on with it; photos that wait are sent
  // with the new token when it is the same session's.
  window.addEventListener('hashchange', () => {
    if (!/^#[th]=/.test(location.hash)) return;
    takeTicket().then((fresh) => {
      if (!fresh) return;
      api.use(fresh);
      return api.status().then((c) => {
        if (session && c.session !== session) {
          outbox.clear();
          forget();
          chosen = undefined;
        }
        session = c.session;
        for (const s of outbox.all()) if (s.problem) s.again();
        go(c);
      });
    }).catch(fail(() => void load()));
  });

  // Another tab or device may have gone on meanwhile.
  document.addEventListener('visibilitychange', () => {
    const view = document.querySelector<HTMLElement>('[data-view]')?.dataset['view'];
    if (!document.hidden && (view === 'consent' || view === 'choose' || view === 'review' || view === 'needs_resubmission')) void load();
  });

  const typeOf = (c: Capture): DocumentType | undefined =>
    c.documents.length === 1 ? c.documents[0]!.type
      : c.accepted.some((k) => !isFace(k)) ? c.document_type ?? chosen : chosen ?? c.document_type;

  const needsOf = (c: Capture): Kind[] => {
    const type = typeOf(c);
    return c.documents.find((d) => d.type === type)?.needs ?? ['document_front', 'selfie'];
  };

  const stepAt = (c: Capture, name: string): Step => {
    const order = ['consent', ...(c.documents.length > 1 ? ['choose'] : []), ...needsOf(c), 'review'];
    return { n: Math.max(1, order.indexOf(name) + 1), total: order.length };
  };

  let told = '';
  function go(c: Capture): void {
    clearTimeout(polling);
    session = c.session;
    testMode(c.test === true);
    if (told !== c.state) emit('state', { state: c.state });
    told = c.state;
    switch (c.state) {
      case 'initiated':
      case 'capture_in_progress':
        break;
      case 'needs_resubmission':
        if (resumed) break;
        forget();
        onBack(null);
        resultView(c, () => {
          resumed = true;
          go(c);
        }, () => clearTimeout(polling));
        return;
      default:
        resumed = false;
        onBack(null);
        resultView(c, () => undefined, () => clearTimeout(polling));
        if (c.state === 'submitted' || c.state === 'pending_review') watch(c);
        if (c.state !== 'submitted') {
          forget();
          emit('complete', { state: c.state });
        }
        return;
    }
    if (!c.consent) {
      onBack(null);
      consentView(c, stepAt(c, 'consent'), () =>
        api.consent({ accepted: true, text_version: CONSENT_TEXT, locale: language() }).then(go, fail(() => go(c))),
      () => go(c), () => handover(c, () => go(c)));
      return;
    }
    const type = typeOf(c);
    if (!type) {
      choose(c);
      return;
    }
    const needs = needsOf(c);
    const missing = needs.find((k) => !c.accepted.includes(k) && !outbox.has(k));
    if (missing) take(c, missing, type);
    else review(c, needs, type);
  }

  /** The last look; photos still on their way hold it up. */
  function review(c: Capture, needs: Kind[], type: DocumentType): void {
    const waiting = needs.map((k) => outbox.get(k)).filter((s) => s !== undefined);
    for (const s of waiting) {
      const changed = (): void => {
        if (!s.done) return;
        if (s.answer?.kept) {
          keepThumb(s.kind, s.preview);
          outbox.remove(s.kind);
          void load();
        } else sendingView(shooting(c, s.kind, type), s);
      };
      s.watch(changed);
      if (s.done) {
        changed();
        return;
      }
    }
    onBack(null);
    reviewView(needs, type, stepAt(c, 'review'), thumbs, waiting.map((s) => s.kind), (k) => {
      const s = outbox.get(k);
      if (s) sendingView(shooting(c, k, type), s);
      else take(c, k, type);
    }, () => api.submit().then(go, fail(() => go(c))));
  }

  function choose(c: Capture): void {
    onBack(null);
    chooseView(c.documents.map((d) => d.type), stepAt(c, 'choose'), (d) => {
      chosen = d;
      go(c);
    }, () => help(c, 'document_front', 'passport', () => choose(c)));
  }

  function handover(c: Capture, back: () => void): void {
    handoverView(api, c, () => {
      back();
      void load();
    }, go);
  }

  function help(c: Capture, kind: Kind, type: DocumentType, back: () => void): void {
    const o = shooting(c, kind, type);
    const file = isFilm(kind) ? h('span') : h('label', { class: 'btn small file' }, t('camera.file'),
      fileInput(kind === 'selfie' ? 'user' : 'environment', (f) => void fitFile(f, c.limits.max_bytes).catch(() => f).then((b) => send(o, b))));
    helpView({
      file,
      device: () => handover(c, () => help(c, kind, type, back)),
      assist: () => {
        assisted = true;
        emit('assist', {});
        if (kind === 'selfie_challenge') assistChallenge(c);
        else shoot(shooting(c, kind, type));
      },
      back,
    });
  }

  /** The challenge is left out: a person looks at the case. */
  function assistChallenge(c: Capture): void {
    outbox.remove('selfie_challenge');
    void api.assistance().then((next) => {
      resumed = false;
      go(next);
    }, fail(() => go(c)));
  }

  function keepThumb(kind: Kind, photo: Blob): void {
    const old = thumbs.get(kind);
    if (old) URL.revokeObjectURL(old);
    thumbs.set(kind, URL.createObjectURL(photo));
  }

  function shooting(c: Capture, kind: Kind, type: DocumentType): Shooting {
    const again = (): void => {
      const s = outbox.get(kind);
      if (s?.problem) s.again();
      if (s) sendingView(shooting(c, kind, type), s);
      else take(c, kind, type);
    };
    return {
      api, status: c, kind, type, step: stepAt(c, kind), assisted,
      more: needsOf(c).some((k) => k !== kind && !c.accepted.includes(k) && !outbox.has(k)),
      done: (photo) => {
        keepThumb(kind, photo);
        resumed = false;
        emit('photo', { kind });
        void load();
      },
      later: () => go(c),
      assist: () => {
        assisted = true;
        emit('assist', {});
        assistChallenge(c);
      },
      back: () => {
        // Another kind of document can be chosen while none is sent.
        if (c.documents.length > 1 && !c.accepted.some((k) => !isFace(k))) {
          chosen = undefined;
          choose(c);
        } else go(c);
      },
      help: (back) => help(c, kind, type, back),
      handover: (back) => handover(c, back),
      failed: fail(again),
    };
  }

  function take(c: Capture, kind: Kind, type: DocumentType): void {
    shoot(shooting(c, kind, type));
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
    emit('ready', {});
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
void boot();
