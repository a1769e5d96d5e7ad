import { useI18n } from "vue-i18n";
import { useMoments } from "../composables/moments";
import { short } from "./hex";
import type { Check } from "./report";

const TIMES = new Set(["at", "as_of", "signed_at", "sealed_at", "timestamped_at", "archived_at", "registered_at", "signed_by_video_at"]);

/** A check in words: what was looked at, what was found. Unknown keys of a newer server stay readable. */
export function useCheckWords() {
  const { t, te } = useI18n();
  const { exact } = useMoments();

  function holes(detail: Record<string, unknown>): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(detail).map(([key, value]) => {
        if (TIMES.has(key) && typeof value === "number") return [key, exact(value)];
        if (typeof value === "string" && /^[0-9a-f]{64}$/.test(value)) return [key, short(value)];
        return [key, Array.isArray(value) ? value.join(", ") : (value ?? "–")];
      }),
    );
  }
  const title = (check: Check) => (te(`verify.checks.${check.key}`) ? t(`verify.checks.${check.key}`) : check.key);
  function told(check: Check): string {
    const key = check.outcome === "ok" ? `verify.found.${check.key}` : `verify.reasons.${check.reason}`;
    return te(key) ? t(key, holes(check.detail)) : check.outcome === "ok" ? "" : t("verify.reasons.unexpected");
  }
  return { title, told, holes };
}
