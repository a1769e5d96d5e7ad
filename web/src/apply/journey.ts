import type { Case } from "../api/types";

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
