import type { Case, FieldValue, Matter } from "../api/types";

/** The pages of a case, by the route's name. */
export type CasePage =
  | "case"
  | "form"
  | "papers"
  | "consents"
  | "booking"
  | "device"
  | "waiting"
  | "session"
  | "done";

const BY_STATE: Record<string, CasePage> = {
  DRAFT: "form",
  ACCEPTED: "consents",
  INFORMED: "booking",
  SCHEDULED: "device",
  WAITING: "waiting",
  IN_SESSION: "session",
};

/** The page where this person goes on; "case" (where it stands) when the next move is not theirs. */
export function nextPage(subject: Pick<Case, "state"> & { next?: { action: string | null } | null }): CasePage {
  if (subject.state === "SUPPLEMENT") return "papers";
  return BY_STATE[subject.state] ?? "case";
}

/** True while the applicant may still change the form and the papers. */
export function editable(state: string): boolean {
  return state === "DRAFT" || state === "SUPPLEMENT";
}

/** True while the case can be taken back by the applicant. */
export function withdrawable(state: string): boolean {
  return !["ISSUED", "DELIVERED", "ARCHIVED", "REFUSED", "TERMINATED", "WITHDRAWN", "VOID", "NOT_ACCEPTED", "REVOKED", "APPROVED"].includes(
    state,
  );
}

/** True for a field nobody has filled in; "no" and false are answers. */
export function isBlank(value: FieldValue | undefined): boolean {
  return value == null || value === "" || (Array.isArray(value) && value.length === 0);
}

/** Keys of the fields that keep a form from being handed in: required and empty, or with a problem. */
export function openFields(matter: Matter, form: Case["form"], problems: Case["problems"]): string[] {
  return matter.fields
    .filter((field) => (field.required && isBlank(form[field.key])) || field.key in problems)
    .map((field) => field.key);
}
