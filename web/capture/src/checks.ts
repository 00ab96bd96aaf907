// Which of the gate's thresholds the live picture fails. They come with the
// session's status, so they are the policy's own; the order is the catalogue's, so
// that the live advice and the gate name the same fault first.
import type { Kind } from './api';

/** One threshold, as GET /v1/capture lists it. */
export interface LiveCheck { kind: Kind; measure: string; min?: number; max?: number; code: string }

/** Values by the names of docs/quality.md; what was not measured is left out. */
export type Measures = Record<string, number | undefined>;

export function failed(checks: LiveCheck[], kind: Kind, m: Measures): string[] {
  const out: string[] = [];
  for (const c of checks) {
    const v = m[c.measure];
    if (c.kind !== kind || v === undefined || !Number.isFinite(v)) continue;
    if ((c.min !== undefined && v < c.min) || (c.max !== undefined && v > c.max)) out.push(c.code);
  }
  return out;
}

/** The one code to say: the first of order, or null when all is well. */
export function foremost(codes: string[], order: string[]): string | null {
  let best: string | null = null;
  for (const c of codes) {
    const at = order.indexOf(c);
    if (at >= 0 && (best === null || at < order.indexOf(best))) best = c;
  }
  return best ?? codes[0] ?? null;
}
