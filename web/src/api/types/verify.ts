/** What a verifier is told. */

import type { Gap } from "./session";

export type CertificateStatus = "valid" | "revoked" | "unknown";

export interface VerifyNumber {
  number: string;
  status: CertificateStatus;
  as_of: number;
  issued_on: string;
}

/** One line of the report on between which times a session lies (`signing.session_times`). Times are ms since epoch. */
export interface Dated {
  key: "not-before" | "no-before" | "first" | "last" | "no-first" | "no-last" | "not-after" | "own-after" | "no-after";
  why?: "none" | "unavailable" | "unknown" | "not-kept";
  at?: number;
  who?: string[];
  size?: number;
  age_s?: number;
  index?: number;
}

export interface ReportCheck {
  number: number;
  key: string;
  outcome: "ok" | "failed" | "unavailable";
  detail: Record<string, unknown>;
  against: string;
}

export interface Report {
  verdict: "valid" | "invalid" | "indeterminate";
  checks: ReportCheck[];
}

export interface VerifyCode {
  number: string;
  status: CertificateStatus;
  as_of: number;
  facts: Record<string, string | number | null>;
  session: { started_at: number; duration_ms: number; steps: unknown[]; gaps: Gap[] };
  pdf_sha256: string;
  bundle_url: string | null;
  report: Report | null;
}
