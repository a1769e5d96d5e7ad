import { useI18n } from "vue-i18n";

const UNITS = [["day", 86_400_000, 129_600_000], ["hour", 3_600_000, 5_400_000], ["minute", 60_000, 60_000], ["second", 1000, 0]] as const;

/** The unit a length of time is told in, and how many of it: 12 s, 3 min, 26 h, 4 days. */
export function inUnits(ms: number): { unit: "day" | "hour" | "minute" | "second"; count: number } {
  const [unit, whole] = UNITS.find(([, , from]) => ms >= from) ?? UNITS[3];
  return { unit, count: Math.round(Math.max(0, ms) / whole) };
}

/** Lengths of time and the past in the reader's words. */
export function useSpans() {
  const { locale } = useI18n();
  const span = (ms: number) => {
    const { unit, count } = inUnits(ms);
    return new Intl.NumberFormat(locale.value, { style: "unit", unit, unitDisplay: "long" }).format(count);
  };
  const ago = (at: number, now = Date.now()) => {
    const { unit, count } = inUnits(now - at);
    return new Intl.RelativeTimeFormat(locale.value, { numeric: "always" }).format(-count, unit);
  };
  return { span, ago };
}
