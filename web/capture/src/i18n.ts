// The page's texts. English is the catalogue; the compiler refuses a language
// that lacks a key, and a Go test holds codes.en.json equal to the hints of
// policy's reason-code catalogue. Adding a language: two files and two lines.
import type { DocumentType } from './api';
import en from './texts/en.json';
import ar from './texts/ar.json';
import hi from './texts/hi.json';
import es from './texts/es.json';
import fr from './texts/fr.json';
import de from './texts/de.json';
import codesEN from './texts/codes.en.json';
import codesAR from './texts/codes.ar.json';
import codesHI from './texts/codes.hi.json';
import codesES from './texts/codes.es.json';
import codesFR from './texts/codes.fr.json';
import codesDE from './texts/codes.de.json';

export type Key = keyof typeof en;
type Catalogue = Record<Key, string>;
type Codes = Record<keyof typeof codesEN, string>;

interface Language { name: string; dir: 'ltr' | 'rtl'; texts: Catalogue; codes: Codes }

export const languages: Record<string, Language> = {
  en: { name: 'English', dir: 'ltr', texts: en, codes: codesEN },
  es: { name: 'Español', dir: 'ltr', texts: es, codes: codesES },
  fr: { name: 'Français', dir: 'ltr', texts: fr, codes: codesFR },
  de: { name: 'Deutsch', dir: 'ltr', texts: de, codes: codesDE },
  ar: { name: 'العربية', dir: 'rtl', texts: ar, codes: codesAR },
  hi: { name: 'हिन्दी', dir: 'ltr', texts: hi, codes: codesHI },
};

/** The codes in the catalogue's order: the first that applies is the one to say. */
export const codeOrder = Object.keys(codesEN);

let current = 'en';

export function language(): string { return current; }

/** Takes the first of the wanted languages ("de-AT" counts as "de") that there is. */
export function chooseLanguage(...wanted: (string | undefined)[]): void {
  for (const w of wanted) {
    const code = w?.toLowerCase().split(/[-_]/)[0];
    if (code && code in languages) {
      current = code;
      break;
    }
  }
  document.documentElement.lang = current;
  document.documentElement.dir = languages[current]!.dir;
}

export function t(key: Key, values: Record<string, string | number> = {}): string {
  const text = languages[current]!.texts[key];
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

/** The hint of a reason code; a code younger than this page falls back to the server's English, and so
 * does one that names the wanted document when the page does not know which that is. */
export function hint(code: string, fallback = '', wanted?: DocumentType): string {
  const codes: Record<string, string> = languages[current]!.codes;
  const text = codes[code];
  if (!text || (text.includes('{document}') && !wanted)) return fallback || t('error.text');
  return wanted ? text.replace('{document}', t(`type.${wanted}`)) : text;
}

/** A hint in two parts: what is wrong, and what to do about it. */
export function splitHint(text: string): [string, string] {
  const at = text.search(/[.:。।؟] ?/u);
  return at < 0 || at === text.length - 1
    ? [text, '']
    : [text.slice(0, at), text.slice(at + 1).trim()];
}
