/**
 * The shapes the server speaks (snake_case JSON; instants are integer milliseconds since the epoch, UTC;
 * digests are lowercase hex SHA-256). One interface per shape, in the order of the HTTP design.
 */

export type Language = "zh-CN" | "en";
export type Bilingual = Record<Language, string>;

/* ---- Public ---- */

export interface Config {
  office: { name_zh: string; name_en: string; phone: string; hours_zh: string; hours_en: string };
  demo: boolean;
  stand_ins: string[];
  public_url: string;
  max_upload_bytes: number;
  languages: Language[];
  now: number;
}

export interface MatterSummary {
  id: string;
  title: Bilingual;
  summary: Bilingual;
  fee_yuan: number;
  minutes: number;
  remote: { allowed: boolean; not_for: Bilingual[]; instead: Bilingual };
}

export type FieldKind =
  | "text"
  | "name"
  | "id_number"
  | "phone"
  | "date"
  | "choice"
  | "multi"
  | "bool"
  | "textarea";
export type FieldValue = string | boolean | string[] | null;

export interface MatterField {
  key: string;
  kind: FieldKind;
  label: Bilingual;
  help?: Bilingual | null;
  required: boolean;
  options?: { value: string; label: Bilingual }[] | null;
  section?: string | Bilingual | null;
}

export interface MatterPaper {
  kind: string;
  label: Bilingual;
  help?: Bilingual | null;
  required: boolean;
}

export interface MatterConsent {
  id: string;
  title: Bilingual;
  text: Bilingual;
  refusal: Bilingual;
  required: boolean;
}

export interface FinderQuestion {
  key: string;
  question: Bilingual;
  help?: Bilingual | null;
  options: { value: string; label: Bilingual; help?: Bilingual | null; outcome?: string | null }[];
}

export interface MatterStep {
  number: number;
  key: string;
  title: Bilingual;
  applicant_line: Bilingual;
}

export interface Matter extends MatterSummary {
  fields: MatterField[];
  papers: MatterPaper[];
  consents: MatterConsent[];
  finder: FinderQuestion[];
  questions: { key: string; text: Bilingual }[];
  explanation: Bilingual;
  steps: MatterStep[];
  grace_ms: number;
}

/* ---- Errors: application/problem+json, already in the reader's language ---- */

export interface ProblemBody {
  type?: string;
  code: string;
  status: number;
  title: string;
  kept?: string;
  next?: string;
  field?: string | null;
  params?: Record<string, unknown>;
}

/* ---- Applicant ---- */

export interface Applicant {
  id: string;
  phone_masked: string;
}

export interface Paper {
  id: string;
  kind: string;
  name: string;
  size: number;
  media_type: string;
  at: number;
  sha256: string;
  url: string;
}

export interface Clock {
  days_left: number;
  paused: boolean;
  reason?: string | null;
}

export interface Stage {
  key: string;
  title: string;
  done: boolean;
  current: boolean;
}

export interface CaseNext {
  key: string;
  title: string;
  detail: string;
  action: string | null;
}

export interface CaseCertificate {
  number: string;
  issued_at: number;
  code: string;
  verify_url: string;
  pdf_sha256: string;
}

export interface CaseSummary {
  id: string;
  matter: string;
  matter_title: string;
  state: string;
  state_title: string;
  created_at: number;
  next: CaseNext | null;
  stages?: Stage[];
  booking?: { at: number } | null;
}

export interface Case {
  id: string;
  matter: string;
  matter_title: string;
  state: string;
  state_title: string;
  language: Language;
  created_at: number;
  form: Record<string, FieldValue>;
  problems: Record<string, ProblemBody>;
  papers: Paper[];
  consents: { id: string; given: boolean; at: number }[];
  booking: { at: number; invitation_url?: string | null } | null;
  session: { id: string; state: string; step: number } | null;
  notary: { name: string; licence: string } | null;
  next: CaseNext | null;
  clock: Clock | null;
  stages: Stage[];
  certificate: CaseCertificate | null;
  receipt_ready: boolean;
  asked: { text: string } | null;
  refused: { reason: string } | null;
}

export interface TimelineEntry {
  event: string;
  kind: string;
  title: string;
  at: number;
  index: number | null;
  leaf_hash: string | null;
}

export interface Slot {
  at: number;
  notary: string | { name: string; licence?: string };
}

export interface DeviceCheck {
  camera: string;
  microphone: string;
  speaker: string;
  network: { rtt_ms: number; words?: string };
  browser: string;
}

export interface Share {
  code: string;
  url: string;
}

/* ---- Staff ---- */

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
  checks: { key: string; title: string; outcome: string; detail: string }[];
  timeline: TimelineEntry[];
  document: { pages: number; sha256: string } | null;
  authorisations: Record<string, unknown>[];
  returned: { reasons: string } | null;
  /** What the desk does next, in words. */
  to_do: string;
  allowed_actions: string[];
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

/* ---- Session ---- */

export type Role = "notary" | "applicant";
export type SessionState = "OPEN" | "INTERRUPTED" | "ABORTED" | "CLOSED" | "SEALED";

export interface StepEvidence {
  key: string;
  title: string;
  done: boolean;
  unavailable: boolean;
  index: number | null;
  detail?: string | null;
}

export interface SessionStep {
  number: number;
  key: string;
  title: string;
  state: "pending" | "running" | "done" | "repeated";
  started_at: number | null;
  completed_at: number | null;
  evidence: StepEvidence[];
  missing: string[];
}

export interface Quality {
  rtt_ms: number | null;
  loss: number | null;
  width?: number | null;
  height?: number | null;
  fps?: number | null;
  bitrate?: number | null;
}

export interface SessionParticipant {
  id: string;
  role: Role;
  name: string;
  connected: boolean;
  take: number | null;
  quality: Quality | null;
}

export interface Gap {
  from_ms: number;
  to_ms: number;
  kind: string;
  detail?: Record<string, unknown> | string | null;
}

export interface RecordLine {
  number: number;
  who: Role;
  key: string | null;
  text: string;
  at: number;
  offset_ms: number;
  corrected: { text: string; at: number }[];
  disputed: string | null;
}

export interface LockedDocument {
  pages: number;
  page: number | null;
  sha256: string;
  page_sha256: string[];
}

export type Act = "document" | "record" | "manifest";

export interface Signing {
  act: Act;
  id: string | null;
  content_sha256: string | null;
}

export interface IdentityFinding {
  id: string;
  kind: string;
  level: "info" | "attention" | "problem" | "unavailable";
  text: string;
  at: number;
  offset_ms: number;
  score: number | null;
  threshold: number | null;
  picture_url: string | null;
}

export interface IdentityPanel {
  readings: {
    side: string;
    fields: Record<string, { value: string; check: string; note?: string | null }>;
    crop_url: string | null;
    portrait_url: string | null;
  }[];
  comparison: { score: number | null; band: string; unavailable: boolean | string | null } | null;
  live_url: string | null;
  findings: IdentityFinding[];
  registry: { answer: string; simulated: true; at: number } | null;
  decision: { accepted: boolean; reason: string; at: number } | null;
}

export interface SessionView {
  id: string;
  case_id: string;
  number: number;
  linked_to: string | null;
  state: SessionState;
  role: Role;
  started_at: number;
  elapsed_ms: number;
  language: Language;
  steps: SessionStep[];
  step: number;
  instruction: { title: string; detail?: string | null } | null;
  participants: SessionParticipant[];
  recording: { on: boolean; segments: number; gaps: Gap[]; failed: string | null };
  anchored: { index: number; leaf_hash: string; pending?: number } | null;
  fingerprint: string[];
  opening_words: string[] | null;
  not_before?: boolean;
  record: RecordLine[];
  explanation: { text: string; sha256: string } | null;
  document: LockedDocument | null;
  signing: Signing | null;
  identity?: IdentityPanel | null;
  flagged?: boolean;
  grace_ends_at: number | null;
  replaced_by: string | null;
}

/** One sample of the pen on the pad: x and y in [0, 1] of the pad, t in ms since the first touch, p pressure in [0, 1]. */
export interface StrokePoint {
  x: number;
  y: number;
  t: number;
  p: number;
}
export type Stroke = StrokePoint[];

export interface SigningIntent {
  id: string;
  act: Act;
  content_url: string;
  content_sha256: string;
  signed_attrs_b64: string;
}

export interface Anchored {
  index: number;
  leaf_hash: string;
  event: string;
  kind: string;
  at: number;
}

export type ServerMessage =
  | { type: "state"; session: SessionView }
  | ({ type: "anchored" } & Anchored)
  | { type: "answer"; id: string; sdp: string }
  | { type: "evicted" }
  | { type: "problem"; problem: ProblemBody }
  | { type: "pong"; at: number };

export type ClientMessage =
  | { type: "offer"; id: string; sdp: string }
  | { type: "ping"; at: number }
  | { type: "quality"; rtt_ms: number; loss: number; width: number; height: number; fps: number }
  | { type: "page"; n: number }
  | { type: "mute"; muted: boolean };

/* ---- Verify ---- */

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
