import { api } from "../api/client";
import type { Dated, VerifyCode, VerifyNumber } from "../api/types";
import { type Bytes, sha256 } from "../signing/bytes";
import { checkBundle } from "./bundle";
import { fromServer, type Public } from "./office";
import { checkDigest } from "./register";
import { type Check, elsewhere, Failed, type Facts, Procedure, type Report, Unavailable } from "./report";

/** The four ways in: a number, a code, a file on this device, a file sent to the office's server. */

export interface Progress {
  checks: (checks: readonly Check[]) => void;
  share: (share: number) => void;
}

export async function checkNumber(number: string, found: VerifyNumber): Promise<Report> {
  const run = new Procedure();
  await run.run("status", () => {
    if (found.status === "revoked") throw new Failed("revoked", { as_of: found.as_of });
    if (found.status !== "valid") throw new Unavailable("number-unknown");
    return { detail: { as_of: found.as_of } };
  });
  run.leave("file", "register", "pdf");
  return { kind: "number", place: "here", checks: run.checks, notes: [], facts: { number, issued_on: found.issued_on, values: {} }, asOf: found.as_of };
}

export async function checkCode(found: VerifyCode, progress: Progress, office: Public = fromServer): Promise<Report> {
  const report = await checkDigest(() => found.pdf_sha256, office, {
    kind: "code",
    first: async (run) => {
      await run.run("code", () => {
        if (!found.pdf_sha256) throw new Unavailable("number-unknown");
        return { detail: { number: found.number } };
      });
    },
    told: progress.checks,
    share: progress.share,
  });
  report.checks.push(elsewhere("file"), elsewhere("pdf"));
  // The register's number, which everybody can see, must be the one the code opened.
  const registered = report.facts.number;
  if (registered !== undefined && registered !== found.number)
    report.checks.push({ key: "number", outcome: "failed", reason: "other-certificate", detail: {}, against: "" });
  return {
    ...report,
    facts: {
      number: found.number,
      issued_on: typeof found.facts.issued_on === "string" ? found.facts.issued_on : report.facts.issued_on,
      values: found.facts,
      session: sessionOf(found),
      pdf_sha256: found.pdf_sha256,
      bundle_url: found.bundle_url,
    },
  };
}

function sessionOf(found: VerifyCode): Facts["session"] {
  const session = found.session;
  if (!session?.started_at) return null;
  return { ...session, steps: session.steps as NonNullable<Facts["session"]>["steps"], gaps: session.gaps };
}

const LARGEST = 100_000_000; // bytes: more than a telephone's browser reads at once
const begins = (data: Uint8Array, magic: string) => [...magic].every((char, i) => data[i] === char.charCodeAt(0));

const strange = (outcome: "failed" | "unavailable", reason: string): Report => ({
  kind: "unknown",
  place: "here",
  checks: [{ key: "limits", outcome, reason, detail: {}, against: "" }],
  notes: [],
  facts: { values: {} },
  asOf: null,
});

/** A file chosen on this device. One that is empty or too large to be read here says nothing of a certificate. */
export async function checkChosen(file: Blob, progress: Progress): Promise<Report> {
  if (file.size === 0) return strange("unavailable", "empty");
  if (file.size > LARGEST) return strange("unavailable", "too-large");
  return checkFile(new Uint8Array(await file.arrayBuffer()) as Bytes, progress);
}

export async function checkFile(data: Bytes, progress: Progress, office: Public = fromServer): Promise<Report> {
  if (begins(data, "PK\u0003\u0004")) return checkBundle(data, office, progress.checks);
  if (begins(data, "%PDF-")) {
    const digest = await sha256(data);
    const report = await checkDigest(() => digest, office, { kind: "pdf", told: progress.checks, share: progress.share });
    return { ...report, checks: [...report.checks, elsewhere("seal"), elsewhere("pdf")] };
  }
  return strange("failed", "unknown-kind");
}

interface ServerReport {
  kind: "bundle" | "pdf" | "unknown";
  checks: Check[];
  notes: string[];
  as_of: number | null;
  facts: { number?: string; certificate?: { number: string; issued_on: string }; facts?: Facts["values"]; pdf_sha256?: string; between?: Dated[] };
}

/** Sends the file to the office, because the person said so. */
export async function checkOnServer(file: File, sent: (share: number) => void): Promise<Report> {
  const answer = await api.upload<ServerReport>("/api/verify/file", file, file.name, sent);
  return {
    kind: answer.kind,
    place: "server",
    checks: answer.checks,
    notes: answer.notes,
    facts: {
      number: answer.facts.certificate?.number ?? answer.facts.number,
      issued_on: answer.facts.certificate?.issued_on ?? null,
      values: answer.facts.facts ?? {},
      pdf_sha256: answer.facts.pdf_sha256,
      between: answer.facts.between,
    },
    asOf: answer.as_of,
  };
}
