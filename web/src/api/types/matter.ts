/** A matter as its pages need it: finder, form, papers, consents, interview, steps. */

import type { Bilingual } from "./office";

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
  /** The label as the office says it: the form speaks to the applicant, a file about the applicant. */
  desk_label?: Bilingual | null;
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
