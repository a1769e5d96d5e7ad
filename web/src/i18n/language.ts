import type { Bilingual, Language } from "../api/types";

export const LANGUAGES: readonly Language[] = ["zh-CN", "en"];

/** The language to begin with: `?lang=`, then the cookie the server reads too, then the browser's. */
export function firstLanguage(search: string, cookie: string, browser: readonly string[]): Language {
  const asked = new URLSearchParams(search).get("lang") ?? /(?:^|;\s*)lang=([^;]+)/.exec(cookie)?.[1];
  const wanted = asked ?? browser[0] ?? "zh-CN";
  if (wanted.toLowerCase().startsWith("zh")) return "zh-CN";
  return asked === undefined && !wanted.toLowerCase().startsWith("en") ? "zh-CN" : "en";
}

/** The cookie both the pages and the server know the reader's language by. */
export function languageCookie(language: string): string {
  return `lang=${language}; path=/; max-age=31536000; samesite=lax`;
}

/** The text in `language`; the other one rather than nothing. */
export function inLanguage(text: Bilingual | string | null | undefined, language: string): string {
  if (!text) return "";
  if (typeof text === "string") return text;
  return text[language as Language] ?? text["zh-CN"] ?? text.en ?? "";
}

/** Sentences one after the other: a space between them, but for Chinese, whose full stop brings its own room. */
export function inOneLine(...sentences: (string | null | undefined)[]): string {
  return sentences.filter(Boolean).reduce<string>((line, next) => (!line || /[。！？；：]$/.test(line) ? line + next : `${line} ${next}`), "");
}
