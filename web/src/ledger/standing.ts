import { api } from "../api/client";
import { type Checkpoint, type Key, parseCheckpoint, parseKey, requireSigned } from "../verify/note";
import type { Trust } from "../verify/office";
import { same } from "../verify/merkle";
import { type Line, lineOf, type Standing } from "./cosignature";
import { asked, met, parsePolicy } from "./policy";

/** What the office says of its ledger beside the ledger itself (`/api/ledger`). Times are ms since epoch. */
export interface Told {
  now: number;
  size: number;
  /** From what age on the office's own verifiers call a checkpoint or a standing old, ms. */
  stale_ms: number;
  policy: string | null;
  witnesses: Follower[];
  growth: Growth | null;
  seals: { waiting: number; for: "witnesses" | "timestamp" | null };
  scrub: { at: number | null; entries: number; damaged: number; named: string[] };
}
export interface Follower {
  name: string;
  /** Its verifier keys. */
  keys: string[];
  asked: boolean;
  size: number | null;
  /** The newest checkpoint it has signed, with its lines. */
  note: string | null;
  failing_since: number | null;
  answers: boolean;
}
/** How many entries there were at the end of each step; the last step is under way. */
export interface Growth {
  start: number;
  step_ms: number;
  before: number;
  sizes: number[];
}

export const readStanding = () => api.get<Told>("/api/ledger");

/** Where one witness stands, as far as its own signatures show it; only `failing_since` is the office's word alone. */
export interface Place {
  name: string;
  state: "level" | "behind" | "never" | "forged";
  /** The size it has signed; null for none. */
  size: number | null;
  at: number | null;
  behind: number;
  /** How much older its signature is than the newest checkpoint, ms; null when it is not behind. */
  lag_ms: number | null;
  asked: boolean;
  failing_since: number | null;
  answers: boolean;
  lines: { kind: number; standing: Standing }[];
}

/** The witnesses, each by the newest note it has signed, checked here. `signedAt`: when the newest checkpoint was, ms. */
export async function placesOf(told: Told, checkpoint: Checkpoint, logKeys: readonly Key[], signedAt: number | null): Promise<Place[]> {
  return Promise.all(told.witnesses.map((one) => placeOf(one, checkpoint, logKeys, signedAt)));
}

async function placeOf(one: Follower, newest: Checkpoint, logKeys: readonly Key[], signedAt: number | null): Promise<Place> {
  const keys = one.keys.map(parseKey);
  const { asked: isAsked, failing_since, answers } = one;
  const rest = { name: one.name, asked: isAsked, failing_since, answers };
  // A line under the checkpoint shown above counts first; else the newest note the office has of this witness.
  let shown = newest;
  let lines = await linesOf(keys, newest);
  if (one.note && lines.every((line) => line.standing === "none")) {
    try {
      shown = parseCheckpoint(one.note);
      lines = await linesOf(keys, shown);
      await requireOurs(shown, newest, logKeys);
    } catch {
      return { ...rest, state: "forged", size: one.size, at: null, behind: 0, lag_ms: null, lines };
    }
  }
  const signed = lines.filter((line) => line.standing !== "none");
  if (!signed.length) return { ...rest, state: "never", size: null, at: null, behind: newest.size, lag_ms: null, lines };
  const at = Math.max(...signed.map((line) => line.at ?? 0)) || null;
  const behind = Math.max(0, newest.size - shown.size);
  const state = signed.some((line) => line.standing === "bad") ? "forged" : behind ? "behind" : "level";
  return { ...rest, state, size: shown.size, at, behind, lag_ms: behind && at && signedAt ? Math.max(0, signedAt - at) : null, lines };
}

/** A witness's note has to be by this log, and of one size there is only one tree. Where this browser cannot check the
 * log's signature, that is said elsewhere on the page. */
async function requireOurs(shown: Checkpoint, newest: Checkpoint, logKeys: readonly Key[]) {
  if (shown.origin !== newest.origin || (shown.size === newest.size && !same(shown.root, newest.root))) throw new Error("not of this log");
  const own = await Promise.all(logKeys.map((key) => lineOf(key, shown)));
  if (own.every((line) => line.standing === "none") || own.some((line) => line.standing === "bad")) await requireSigned(shown, []);
}

async function linesOf(keys: readonly Key[], checkpoint: Checkpoint): Promise<(Line & { kind: number })[]> {
  return Promise.all(keys.map(async (key) => ({ kind: key.type, ...(await lineOf(key, checkpoint)) })));
}

/** What the office's rule asks, and whether the checkpoint shown has it. unsure: only with lines that this browser cannot
 * check. early: it has them, but trust.json does not name the witnesses before the first seal under them. */
export interface Rule {
  needed: number;
  of: string[];
  outcome: "met" | "unsure" | "open" | "unreadable";
  early: boolean;
}

export async function ruleOf(told: Told, trust: Trust & { policy?: string }, checkpoint: Checkpoint): Promise<Rule | null> {
  const text = trust.policy ?? told.policy;
  if (!text) return null;
  const early = trust.policy === undefined;
  try {
    const policy = parsePolicy(text);
    const rule = asked(policy);
    if (!rule) return null;
    const lines = new Map<string, Standing>();
    for (const { key } of policy.witnesses) lines.set(`${key.name}+${key.id}`, (await lineOf(key, checkpoint)).standing);
    const standing = (key: Key) => lines.get(`${key.name}+${key.id}`);
    const surely = met(policy, (key) => standing(key) === "good");
    const perhaps = met(policy, (key) => standing(key) === "good" || standing(key) === "unchecked");
    return { ...rule, outcome: surely ? "met" : perhaps ? "unsure" : "open", early };
  } catch {
    return { needed: 0, of: [], outcome: "unreadable", early };
  }
}

/** An index as people type it: a place in the log, or why it is none. */
export type Wanted = { index: number } | { wrong: "empty" | "text" | "negative" | "fraction" | "large" };

export function readIndex(text: string, size: number): Wanted {
  const plain = text.normalize("NFKC").replace(/[\s#,_]/g, "").replace(/^[−–—]/, "-");
  if (!plain) return { wrong: "empty" };
  if (!/^[+-]?\d+(\.\d*)?$/.test(plain)) return { wrong: "text" };
  const index = Number(plain);
  if (index < 0) return { wrong: "negative" };
  if (!/^\+?\d+(\.0*)?$/.test(plain)) return { wrong: "fraction" };
  return index >= size ? { wrong: "large" } : { index };
}
