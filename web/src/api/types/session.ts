/** A session: its snapshot, and what goes over its socket. */

import type { Language, ProblemBody } from "./office";

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
  /** False while sound comes and no video. */
  picture: boolean;
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
  | { type: "receipts"; entries: Anchored[] }
  | { type: "answer"; id: string; sdp: string }
  | { type: "evicted" }
  | { type: "redial" }
  | { type: "problem"; problem: ProblemBody }
  | { type: "pong"; at: number };

export type ClientMessage =
  | { type: "offer"; id: string; sdp: string }
  | { type: "ping"; at: number }
  | { type: "quality"; rtt_ms: number; loss: number; width: number; height: number; fps: number }
  | { type: "page"; n: number }
  | { type: "mute"; muted: boolean };
