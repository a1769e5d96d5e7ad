import { api } from "../api/client";
import { Problem } from "../api/problem";
import type { VerifyNumber } from "../api/types";
import { Log } from "./log";
import { type Key, parseKey, requireSigned, signedAt } from "./note";
import { Failed, type Found, type Procedure, Unavailable } from "./report";

/** What the office shows to everybody: its trust, its log, the standing of a number. Tests hand in their own. */
export interface Public {
  trust: () => Promise<Trust>;
  log: () => Promise<Log>;
  standing: (number: string) => Promise<VerifyNumber>;
}

export interface Trust {
  demo: boolean;
  office: { name_zh: string; name_en: string };
  /** `vkeys` sign now; `generations`, once there are several, are all that ever did. */
  ledger: { origin: string; vkeys: string[]; generations?: { vkeys: string[] }[] };
  witnesses: { name: string; vkey: string }[];
  roots?: string[];
  tsa_roots?: string[];
}

export const fromServer: Public = {
  trust: () => api.get<Trust>("/trust.json"),
  log: () => Log.open((path) => api.bytes(`/log/${path}`)),
  standing: (number) => api.get<VerifyNumber>(`/api/verify/number/${encodeURIComponent(number)}`),
};

/** Keys that a trust.json names for the office's log. */
export const keysOf = (trust: Trust): Key[] => trust.ledger.vkeys.map(parseKey);
/** The same, and those that signed in their time. */
export const everyKeyOf = (trust: Trust): Key[] => (trust.ledger.generations ?? [trust.ledger]).flatMap((one) => one.vkeys.map(parseKey));

export function notesOf(trust: Trust): string[] {
  // Signatures are dated by the office's own authority; with another's root beside it, the ledger is not.
  const own = (trust.tsa_roots ?? []).some((one) => !trust.roots?.includes(one)) ? "own-time-signatures" : "own-time";
  return [...(trust.demo ? ["demo-office"] : []), ...(trust.witnesses.length ? [] : ["no-witness"]), own];
}

/** What is not there because of the line or the server is "unavailable", never a verdict about the file. */
export async function reach<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Problem) throw new Unavailable(error.code === "offline" ? "offline" : "unreachable");
    throw error;
  }
}

/** The log under a signature that holds by the office's key. */
export async function openLog(office: Public, trust: Trust): Promise<{ log: Log; key: Key; at: number | null }> {
  const log = await reach(office.log());
  const keys = keysOf(trust);
  requireBrowser(await ed25519Known());
  let key: Key;
  try {
    key = await requireSigned(log.checkpoint, keys);
  } catch {
    // That says something about the log, and nothing about the file in question.
    throw new Unavailable("log-unsigned");
  }
  return { log, key, at: signedAt(log.checkpoint, keys) };
}

export function requireBrowser(known: boolean) {
  if (!known) throw new Unavailable("browser");
}

/** Whether this browser can check Ed25519 signatures at all. */
export async function ed25519Known(): Promise<boolean> {
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32).fill(1), "Ed25519", false, ["verify"]);
    return true;
  } catch (error) {
    return !(error instanceof DOMException && error.name === "NotSupportedError") && globalThis.crypto?.subtle !== undefined;
  }
}

/** The last check of every page: what the office says today. */
export async function runStatus(run: Procedure, office: Public, number: () => string, needs: string[], told: (found: VerifyNumber) => void) {
  await run.run(
    "status",
    async (): Promise<Found> => {
      const found = await reach(office.standing(number()));
      told(found);
      if (found.status === "revoked") throw new Failed("revoked", { as_of: found.as_of });
      if (found.status !== "valid") throw new Unavailable("number-unknown");
      return { detail: { as_of: found.as_of } };
    },
    needs,
  );
}

