import { sha256 } from "@noble/hashes/sha2.js";
import { toBase64, toHex } from "../signing/bytes";
import type { Log, Proven } from "../verify/log";
import { type Checkpoint, type Key, parseCheckpoint } from "../verify/note";
import { lineOf } from "./cosignature";

/**
 * Between which times an entry was written, by the witnesses' signatures that this browser has checked
 * (docs/ledger-format.md, "Anchors"). Timestamps are only named here: reading them is left to `farseal ledger when`.
 */

/** One time (ms) and whose word it is, over a tree of `size`. anchor: the entry that wrote it down, if one did. */
export interface Word {
  at: number;
  who: string;
  size: number;
  anchor: number | null;
}
/** said: checked here. named: only the ledger's word, and tighter than what was checked. */
export interface Side {
  said: Word | null;
  named: Word | null;
}
/** low, high: the entries that were looked through for anchors. cut: the sides on which nothing was found so far away and
 * the log goes on; whatever is written further off was not looked at. */
export interface When {
  before: Side;
  after: Side;
  low: number;
  high: number;
  cut: readonly ("before" | "after")[];
}

/** Bytes the log shows under `attest/`, or null for what it does not show. */
export type Attest = (path: string) => Promise<Uint8Array | null>;

interface Anchor {
  index: number;
  bytes: Uint8Array;
  of: string;
  size: number;
  time: number;
  who: string;
  sha256: string;
}

const WIDTH = 256;
const [BUNDLES, TRIES] = [64, 64]; // how many entry bundles (16 000 entries), and anchors, are looked at on each side, the nearest first
const SECOND_MS = 999; // a time in whole seconds may be that second's end
const utf8 = (text: string) => new TextEncoder().encode(text);

export async function whenOf(log: Log, entry: Proven, witnesses: readonly Key[], attest: Attest): Promise<When> {
  const { index } = entry.leaf;
  const [first, last] = [Math.floor(index / WIDTH), Math.floor((log.size - 1) / WIDTH)];
  const heard = (one: Anchor) => wordOf(log, one, witnesses, attest);
  const seen = async (one: Anchor) => {
    const word = await heard(one);
    // The tree it has signed must have this entry.
    if (word) await log.reach(index, entry.hash, one.size, await log.root(one.size));
    return word && { ...word, at: word.at + SECOND_MS };
  };
  const before = await search(log, first, (step) => first - step, last, (one) => one.index <= index && one.size <= one.index, heard, true);
  const after = await search(log, first, (step) => first + step, last, (one) => one.size > index && one.size <= one.index, seen, false);
  const newest = await underCheckpoint(log.checkpoint, witnesses);
  const latest = [after.said, newest].filter((word) => word !== null).sort((a, b) => a.at - b.at)[0] ?? null;
  return {
    before: { said: before.said, named: named(before.anchors, before.said, (one) => one.time, (one, other) => one > other) },
    after: { said: latest, named: named(after.anchors, latest, (one) => (one.time % 1000 ? one.time : one.time + SECOND_MS), (one, other) => one < other) },
    low: before.reached * WIDTH,
    high: Math.min(log.size, (after.reached + 1) * WIDTH) - 1,
    cut: [...(before.said === null && before.reached > 0 ? (["before"] as const) : []), ...(after.said === null && after.reached < last ? (["after"] as const) : [])],
  };
}

interface Searched {
  said: Word | null;
  anchors: Anchor[];
  /** The bundle that was looked at last. */
  reached: number;
}

/** Looks through bundle after bundle, away from the entry, until somebody has said something that holds. */
async function search(
  log: Log,
  from: number,
  at: (step: number) => number,
  last: number,
  counts: (one: Anchor) => boolean,
  heard: (one: Anchor) => Promise<Word | null>,
  backwards: boolean,
): Promise<Searched> {
  const found: Searched = { said: null, anchors: [], reached: from };
  let tries = TRIES;
  for (let step = 0; step < BUNDLES && at(step) >= 0 && at(step) <= last && found.said === null; step++) {
    found.reached = at(step);
    const anchors = (await anchorsIn(log, found.reached)).filter(counts);
    if (backwards) anchors.reverse();
    found.anchors.push(...anchors);
    const asked = anchors.filter((one) => one.of === "cosignature").slice(0, tries);
    tries -= asked.length;
    found.said = await firstOf(asked, heard);
  }
  return found;
}

async function anchorsIn(log: Log, number: number): Promise<Anchor[]> {
  const chain = toHex(sha256(utf8(`ledger/anchors/v1\0${log.checkpoint.origin}`))).slice(0, 32);
  const found: Anchor[] = [];
  for (const [offset, bytes] of (await log.leaves(number)).entries()) {
    const text = new TextDecoder().decode(bytes);
    if (!text.includes('"kind":"anchor"')) continue;
    const leaf = JSON.parse(text) as { case: string; body: Record<string, unknown> };
    const { of, size, time, who, sha256: digest } = leaf.body;
    const sound = typeof of === "string" && typeof size === "number" && typeof time === "number" && typeof who === "string" && typeof digest === "string" && /^[0-9a-f]{64}$/.test(digest);
    if (leaf.case === chain && sound) found.push({ index: number * WIDTH + offset, bytes, of, size, time, who, sha256: digest });
  }
  return found;
}

async function firstOf(anchors: readonly Anchor[], heard: (one: Anchor) => Promise<Word | null>): Promise<Word | null> {
  for (const one of anchors) {
    const word = await heard(one);
    if (word) return word;
  }
  return null;
}

/** What a witness has said, if its line is at hand and holds by a key that is known; the anchor is proven to be in the log. */
async function wordOf(log: Log, anchor: Anchor, witnesses: readonly Key[], attest: Attest): Promise<Word | null> {
  const key = witnesses.find((one) => `${one.name}+${one.id}` === anchor.who);
  const line = key ? await attest(`attest/${anchor.size}/${anchor.sha256}`) : null;
  if (!key || !line || toHex(sha256(line)) !== anchor.sha256) return null;
  await log.prove(anchor.index, anchor.bytes);
  const text = `${log.checkpoint.origin}\n${anchor.size}\n${toBase64(await log.root(anchor.size))}\n`;
  const found = await lineOf(key, parseCheckpoint(`${text}\n${new TextDecoder().decode(line)}`)).catch(() => null);
  return found?.standing === "good" && found.at !== null ? { at: found.at, who: key.name, size: anchor.size, anchor: anchor.index } : null;
}

/** The earliest of those who have signed the newest checkpoint. */
async function underCheckpoint(checkpoint: Checkpoint, witnesses: readonly Key[]): Promise<Word | null> {
  const words: Word[] = [];
  for (const key of witnesses) {
    const { standing, at } = await lineOf(key, checkpoint);
    if (standing === "good" && at !== null) words.push({ at: at + SECOND_MS, who: key.name, size: checkpoint.size, anchor: null });
  }
  return words.sort((a, b) => a.at - b.at)[0] ?? null;
}

/** The nearest anchor that was not checked, if it would say more than what was. */
function named(anchors: readonly Anchor[], said: Word | null, timed: (one: Anchor) => number, tighter: (one: number, other: number) => boolean): Word | null {
  const open = anchors.map((one) => ({ at: timed(one), who: one.who, size: one.size, anchor: one.index })).filter((one) => !said || tighter(one.at, said.at));
  return open.reduce<Word | null>((kept, one) => (!kept || tighter(one.at, kept.at) ? one : kept), null);
}
