import type { VerifyNumber } from "../api/types";
import { toHex } from "../signing/bytes";
import type { Proven } from "./log";
import { notesOf, openLog, type Public, reach, runStatus, type Trust } from "./office";
import { type Check, Failed, Procedure, type Report } from "./report";

/**
 * Look a certificate's digest up in the office's public register, entry by entry, on this device.
 *
 * A changed file has another digest, so it is not there. Nothing but the look-up of its number's standing names the
 * certificate to the office. `first` runs before (what a code opens, for instance).
 */
export async function checkDigest(
  sha256: () => string,
  office: Public,
  { kind, first, told, share }: { kind: Report["kind"]; first?: (run: Procedure) => Promise<void>; told?: (checks: readonly Check[]) => void; share?: (share: number) => void },
): Promise<Report> {
  const run = new Procedure(told);
  let trust: Trust | undefined;
  let found: Proven | undefined;
  let standing: VerifyNumber | undefined;
  let opened: Awaited<ReturnType<typeof openLog>> | undefined;
  await first?.(run);
  await run.run("checkpoint", async () => {
    trust = await reach(office.trust());
    opened = await openLog(office, trust);
    return { detail: { size: opened.log.size, signed_at: opened.at }, against: `Ed25519 ${opened.key.name}+${opened.key.id}` };
  });
  await run.run(
    "register",
    async () => {
      const { log } = opened!;
      const digest = sha256();
      const entries = await reach(log.find(digest, (leaf) => leaf.body.kind === "act-completed" && leaf.body.pdf_sha256 === digest, share));
      if (entries.length === 0) throw new Failed("not-in-register", { sha256: digest, size: log.size });
      found = entries[0]!;
      return { detail: { index: found.leaf.index, size: log.size, sha256: digest, steps: found.steps.length }, against: toHex(log.checkpoint.root) };
    },
    ["checkpoint", ...(first ? ["code"] : [])],
  );
  await run.run(
    "number",
    async () => {
      const number = String(found!.leaf.body.number);
      const uses = await reach(opened!.log.find(number, (leaf) => leaf.body.kind === "act-completed" && leaf.body.number === number));
      if (uses.length !== 1) throw new Failed("number-twice", { number, times: uses.length });
      return { detail: { number } };
    },
    ["register"],
  );
  await runStatus(run, office, () => String(found!.leaf.body.number), ["register"], (one) => (standing = one));
  return {
    kind,
    place: "here",
    checks: run.checks,
    notes: trust ? notesOf(trust) : [],
    facts: {
      number: found ? String(found.leaf.body.number) : undefined,
      issued_on: standing?.issued_on ?? null,
      values: found ? { registered_at: found.leaf.time } : {},
      pdf_sha256: found ? sha256() : undefined,
    },
    asOf: standing?.as_of ?? null,
  };
}

