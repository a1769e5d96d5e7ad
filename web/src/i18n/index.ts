import { createI18n } from "vue-i18n";
import type { Language } from "../api/types";
import { languageCookie } from "./language";

/** A room is one file of sentences per language, loaded with the first page that needs it. */
export type RoomName = "common" | "apply" | "session" | "desk" | "verify" | "ledger";
type Messages = Record<string, unknown>;

const files = import.meta.glob<Messages>("../locales/*/*.json", { import: "default" });

export function createLocales(language: Language) {
  const i18n = createI18n<false>({
    legacy: false,
    locale: language,
    fallbackLocale: "zh-CN",
    missingWarn: import.meta.env.DEV,
    fallbackWarn: false,
    messages: { "zh-CN": {}, en: {} },
  });
  const loaded = new Set<string>();

  /** Loads the rooms in the current language; a sentence is reached as `t("<room>.<key>")`. */
  async function openRooms(rooms: readonly RoomName[], locale: string = i18n.global.locale.value) {
    await Promise.all(
      rooms.map(async (room) => {
        const path = `../locales/${locale}/${room}.json`;
        const load = files[path];
        if (!load || loaded.has(path)) return;
        i18n.global.mergeLocaleMessage(locale, { [room]: await load() });
        loaded.add(path);
      }),
    );
    for (const room of rooms) opened.add(room);
  }

  const opened = new Set<RoomName>();

  async function speak(locale: Language) {
    await openRooms([...opened], locale);
    i18n.global.locale.value = locale;
    document.documentElement.lang = locale;
    document.cookie = languageCookie(locale);
  }

  return { i18n, openRooms, speak };
}

export type Locales = ReturnType<typeof createLocales>;
