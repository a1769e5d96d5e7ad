/** A case as its applicant sees it. */

import type { FieldValue } from "./matter";
import type { Language, ProblemBody } from "./office";

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
