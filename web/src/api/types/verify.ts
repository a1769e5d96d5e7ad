/** What a verifier is told. */

import type { Gap } from "./session";

export type CertificateStatus = "valid" | "revoked" | "unknown";

export interface VerifyNumber {
  number: string;
  status: CertificateStatus;
  as_of: number;
  issued_on: string;
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
