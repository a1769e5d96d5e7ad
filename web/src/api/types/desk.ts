/** A case as the desk and the approver see it. */

import type { Case, CaseNext, Clock, TimelineEntry } from "./case";
import type { Gap, RecordLine } from "./session";
import type { Dated } from "./verify";

export interface Staff {
  id: string;
  name: string;
  role: string;
  licence?: string | null;
}

export interface DeskCaseSummary {
  id: string;
  short: string;
  matter_title: string;
  applicant_name: string;
  state: string;
  state_title: string;
  submitted_at: number | null;
  clock: Clock | null;
  booking_at: number | null;
  waiting: boolean;
  session_id: string | null;
  handler: { id: string; name: string } | null;
  next: CaseNext | string | null;
}

export interface DeskCase extends Case {
  applicant: { name: string; phone_masked: string };
  checks: { key: string; title: string; outcome: string; detail: string; note: string }[];
  timeline: TimelineEntry[];
  document: { pages: number; sha256: string } | null;
  /** Between which times its newest session lies; null where there was none, or it cannot be said. */
  between: Dated[] | null;
  authorisations: Record<string, unknown>[];
  returned: { reasons: string } | null;
  /** What the desk does next, in words. */
  to_do: string;
  allowed_actions: string[];
  /** Whether this person may open the papers, the document, the certificate and the bundle. */
  may_read: boolean;
}

export interface CertificateDraft {
  facts: Record<string, unknown>;
  facts_sha256: string;
  session_manifest_sha256: string;
  authorisation_text: string;
}

export type ClaimVerdict = "accepted" | "returned" | null;

export interface Claim {
  number: number;
  key: string;
  title: string;
  interval: [number, number] | null;
  basis: string;
  verdict: ClaimVerdict;
  reason: string | null;
  record_lines: RecordLine[];
  evidence: ClaimEvidence[];
  gaps: Gap[];
}

/** One thing seen in the session that a claim rests on. */
export interface ClaimEvidence {
  key: string;
  title: string;
  at: number;
  offset_ms: number;
  index: number | null;
  unavailable: boolean;
  detail: string | null;
}

/** The session as its recording shows it: steps and gaps as intervals from the opening, ms. */
export interface ReviewedSession {
  id: string;
  number: number;
  linked_to: string | null;
  started_at: number;
  duration_ms: number;
  segments: number;
  gaps: Gap[];
  flagged: boolean;
  steps: { number: number; key: string; title: string; state: string; from_ms: number; to_ms: number }[];
}

export interface Approval {
  case: DeskCase;
  claims: Claim[];
  session: ReviewedSession;
  recordings: { participant: string; role: string; take: number; url: string; offset_ms: number }[];
  record: RecordLine[];
  draft: { facts: Record<string, unknown>; facts_sha256: string; session_manifest_sha256: string };
}
