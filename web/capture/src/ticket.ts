// The ticket is what lets this page act for one session: its opaque token. It
// arrives in the URL's fragment (which browsers do not send to servers), is
// taken out of the address bar at once, and lives in sessionStorage so that a
// reload goes on. It is gone when the tab is closed.

const KEY = 'proofline';

export function takeTicket(): string | null {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const fresh = fragment.get('t');
  if (fresh) {
    keep(fresh);
    // Not in the history, not in a screenshot, not in a copied address.
    history.replaceState(null, '', location.pathname + location.search);
    return fresh;
  }
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null; // storage is switched off: the link works until a reload
  }
}

function keep(t: string): void {
  try {
    sessionStorage.setItem(KEY, t);
  } catch {
    /* storage is switched off */
  }
}

export function dropTicket(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    /* storage is switched off */
  }
}
