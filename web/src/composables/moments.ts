import { computed } from "vue";
import { useI18n } from "vue-i18n";
import { useOffice } from "../stores/office";

const two = (n: number) => String(n).padStart(2, "0");

/** A length of time as a clock: 372 000 ms -> "06:12", from an hour on "1:02:03". */
export function clock(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${two(m)}:${two(s % 60)}`;
}

/** A size in words a person knows: 1 234 567 -> "1.2 MB". */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${Math.round(bytes / 1000)} KB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** Instants (ms UTC) as this person says them, in the device's own time zone. */
export function useMoments() {
  const { locale, t } = useI18n();
  const office = useOffice();
  const format = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(locale.value, options);
  const days = computed(() => format({ month: "long", day: "numeric", weekday: "short" }));
  const dates = computed(() => format({ year: "numeric", month: "long", day: "numeric" }));
  const times = computed(() => format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }));
  const seconds = computed(() => format({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }));

  const time = (at: number) => times.value.format(at);
  const date = (at: number) => dates.value.format(at);

  function day(at: number, now = Date.now()): string {
    const midnight = (ms: number) => new Date(ms).setHours(0, 0, 0, 0);
    const apart = Math.round((midnight(at) - midnight(now)) / 86_400_000);
    if (apart === 0) return t("common.today");
    if (apart === 1) return t("common.tomorrow");
    return days.value.format(at);
  }
  /** A day of the office's calendar ("2026-11-24"), whatever the day is here. */
  const dated = (day: string) => dates.value.format(Date.parse(`${day}T12:00:00`));
  /** An instant by the office's clock, hence by its calendar and every date in a certificate. */
  const atOffice = (at: number, options: Intl.DateTimeFormatOptions) => format({ ...options, timeZone: "UTC" }).format(at + office.offset);
  /** The day an instant falls on at the office: "2026-11-24". */
  const officeDay = (at: number) => new Date(at + office.offset).toISOString().slice(0, 10);
  /** The office's clock, for somebody in another zone; null where both clocks agree. */
  function officeTime(at: number): string | null {
    if (-new Date(at).getTimezoneOffset() * 60_000 === office.offset) return null;
    return atOffice(at, { month: "long", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  }
  const dayTime = (at: number) => `${day(at)} ${time(at)}`;
  const exact = (at: number) => `${dates.value.format(at)} ${seconds.value.format(at)}`;

  return { time, date, dated, day, dayTime, exact, atOffice, officeDay, officeTime, clock, size };
}
