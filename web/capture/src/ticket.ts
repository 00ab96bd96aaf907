// The ticket is what lets this page act for one session: its opaque token. It
// arrives in the URL's fragment (which browsers do not send to servers), is taken
// out of the address bar at once, and lives in sessionStorage so that a reload goes
// on. It is gone when the tab is closed.
import { claim } from './api';

const KEY = 'proofline';

/** The token; rejects when a hand-over's token could not be exchanged. */
export async function takeTicket(): Promise<string | null> {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const fresh = fragment.get('t');
  const handed = fragment.get('h');
  if (fresh || handed) {
    // Not in the history, not in a screenshot, not in a copied address.
    history.replaceState(null, '', location.pathname + location.search);
  }
  if (handed) {
    const token = await claim(handed);
    keepTicket(token);
    return token;
  }
  if (fresh) {
    keepTicket(fresh);
    return fresh;
  }
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null; // storage is switched off: the link works until a reload
  }
}

export function keepTicket(t: string): void {
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
