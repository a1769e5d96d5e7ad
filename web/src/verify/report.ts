import type { Dated } from "../api/types";

/** A report as the page shows it; the server's (POST /api/verify/file) has the same shape and no "elsewhere". */

/** "elsewhere": left to the offline program or the office's server, and no part of this page's verdict. */
export type Outcome = "ok" | "failed" | "unavailable" | "elsewhere";

export interface Check {
  key: string;
  outcome: Outcome;
  reason: string;
  detail: Record<string, unknown>;
  against: string;
}

export type Verdict = "valid" | "invalid" | "revoked" | "indeterminate";

export interface Report {
  kind: "bundle" | "pdf" | "code" | "number" | "unknown";
  /** Where the checks were made: on this device, or on the office's server after an upload. */
  place: "here" | "server";
  checks: Check[];
  notes: string[];
  facts: Facts;
  asOf: number | null;
}

export interface Span {
  from_ms: number;
  to_ms: number;
}
export interface Facts {
  number?: string;
  issued_on?: string | null;
  values: Record<string, string | number | null>;
  session?: { started_at: number; duration_ms: number; steps: (Span & { number: number; title?: string; key: string })[]; gaps: (Span & { kind: string })[] } | null;
  pdf_sha256?: string;
  bundle_url?: string | null;
  /** Between which times the session lies: said by the server, which reads timestamps too. */
  between?: Dated[];
}

export function verdictOf(report: Pick<Report, "checks">): Verdict {
  const failed = report.checks.find((check) => check.outcome === "failed");
  if (failed) return failed.reason === "revoked" ? "revoked" : "invalid";
  const needed = report.checks.filter((check) => check.outcome !== "elsewhere");
  return needed.length > 0 && needed.every((check) => check.outcome === "ok") ? "valid" : "indeterminate";
}

/** A check does not hold; the reason is a key with words in locales/<language>/verify.json. */
export class Failed extends Error {
  constructor(
    readonly reason: string,
    readonly detail: Record<string, unknown> = {},
  ) {
    super(reason);
  }
}
/** A check cannot be made: something is not at hand. */
export class Unavailable extends Failed {}

/** A check this page does not make. */
export const elsewhere = (key: string): Check => ({ key, outcome: "elsewhere", reason: "elsewhere", detail: {}, against: "" });

export interface Found {
  detail?: Record<string, unknown>;
  against?: string;
}

/** Runs checks in order and fails closed: whatever else a check throws on a hostile file is a failure. */
export class Procedure {
  readonly checks: Check[] = [];

  constructor(private readonly told: (checks: readonly Check[]) => void = () => undefined) {}

  async run(key: string, check: () => Found | Promise<Found>, needs: string[] = []): Promise<boolean> {
    const missing = needs.some((need) => !this.checks.some((done) => done.key === need && done.outcome === "ok"));
    const outcome: Check = { key, outcome: "ok", reason: "", detail: {}, against: "" };
    try {
      if (missing) throw new Unavailable("not-reached");
      Object.assign(outcome, await check());
    } catch (error) {
      outcome.outcome = error instanceof Unavailable ? "unavailable" : "failed";
      outcome.reason = error instanceof Failed ? error.reason : "unexpected";
      if (error instanceof Failed) outcome.detail = error.detail;
    }
    this.checks.push(outcome);
    this.told(this.checks);
    return outcome.outcome === "ok";
  }

  leave(...keys: string[]) {
    this.checks.push(...keys.map(elsewhere));
    this.told(this.checks);
  }
}
