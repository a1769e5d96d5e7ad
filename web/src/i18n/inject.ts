import { inject, type InjectionKey } from "vue";
import type { Locales } from ".";

export const LOCALES: InjectionKey<Locales> = Symbol("locales");

export function useLocales(): Locales {
  const locales = inject(LOCALES);
  if (!locales) throw new Error("the locales are provided by main.ts");
  return locales;
}
