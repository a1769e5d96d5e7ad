// @vitest-environment node
import { describe, expect, it, vi } from "vitest";
import { fromHex } from "../verify/hex";
import { parseCheckpoint, parseKey } from "../verify/note";
import type { Trust } from "../verify/office";
import { lineOf } from "./cosignature";
import shared from "./cosigned.json"; // tests/ledger/test_shared_note.py holds it against the Python side
import { columnsOf, ticksTo } from "./growth";
import { asked, met, parsePolicy } from "./policy";
import { sealOf } from "./seal";
import { inUnits } from "./spans";
import { type Follower, placesOf, readIndex, ruleOf, type Told } from "./standing";

const log = shared.log.map(parseKey);
const newest = parseCheckpoint(shared.note);
const policy = parsePolicy(shared.policy);
const trust: Trust = { demo: false, office: { name_zh: "", name_en: "" }, ledger: { origin: newest.origin, vkeys: shared.log }, witnesses: [] };
const told = (...witnesses: Follower[]): Told => ({ now: 0, size: shared.size, stale_ms: 86_400_000, policy: shared.policy, witnesses, growth: null, seals: { waiting: 0, for: null }, scrub: { at: null, entries: 0, damaged: 0, named: [] } });
const follower = (keys: string[], note: string | null, more: Partial<Follower> = {}): Follower => ({ name: "w", keys, asked: true, size: note ? shared.size : null, note, failing_since: null, answers: true, ...more });
const own = (note: string) => [...note.split("\n").slice(0, 6), ""].join("\n"); // the text and the log's two lines

/** A browser without ML-DSA: it refuses the name, as WebCrypto does. */
async function without<T>(name: string, run: () => Promise<T>): Promise<T> {
  const importKey = crypto.subtle.importKey.bind(crypto.subtle);
  const spy = vi.spyOn(crypto.subtle, "importKey").mockImplementation(((format: "raw", key: BufferSource, algorithm: string | { name: string }, ...rest: [boolean, KeyUsage[]]) =>
    (typeof algorithm === "string" ? algorithm : algorithm.name) === name ? Promise.reject(new DOMException("unknown", "NotSupportedError")) : importKey(format, key, algorithm, ...rest)) as typeof importKey);
  try {
    return await run();
  } finally {
    spy.mockRestore();
  }
}

describe("lines under a checkpoint", () => {
  it("hold by the keys that have signed, of both kinds, with their time", async () => {
    for (const vkey of [...shared.cosigned]) expect(await lineOf(parseKey(vkey), newest)).toEqual({ standing: "good", at: shared.time * 1000 });
    expect((await lineOf(policy.witnesses.at(-1)!.key, newest)).standing).toBe("none");
  });

  it("do not hold when a byte differs, or the text does", async () => {
    for (const [i, note] of shared.forged.entries()) expect((await lineOf(parseKey(shared.cosigned[i]!), parseCheckpoint(note))).standing).toBe("bad");
    const moved = parseCheckpoint(shared.note.replace(`\n${shared.size}\n`, `\n${shared.size + 1}\n`));
    for (const key of [...shared.cosigned.map(parseKey), ...log]) expect((await lineOf(key, moved)).standing).toBe("bad");
  });

  it("are unchecked, never good or bad, where the browser does not know their kind", async () => {
    await without("ML-DSA-44", async () => {
      expect((await lineOf(parseKey(shared.cosigned[0]!), newest)).standing).toBe("good");
      expect((await lineOf(parseKey(shared.cosigned[1]!), newest)).standing).toBe("unchecked");
      expect(await sealOf(newest, log)).toEqual({ standing: "good", held: ["Ed25519"], left: ["ML-DSA-44"] });
    });
  });

  it("by the log itself must all be there and hold", async () => {
    expect(await sealOf(newest, log)).toEqual({ standing: "good", held: ["Ed25519", "ML-DSA-44"], left: [] });
    expect((await sealOf({ ...newest, lines: newest.lines.slice(1) }, log)).standing).toBe("bad");
    expect((await sealOf(newest, [])).standing).toBe("bad");
  });
});

describe("the rule", () => {
  it("reads k of n witnesses, each with the keys it has", () => {
    expect(asked(policy)).toEqual({ needed: 2, of: ["w1.example/one", "w2.example/one", "w3.example/one"] });
    expect(asked(parsePolicy("quorum none\n"))).toBeNull();
    expect(asked(parsePolicy(shared.policy.replace("quorum enough", "quorum W1")))).toEqual({ needed: 1, of: ["w1.example/one"] });
    expect(met(policy, (key) => shared.cosigned.includes(vkeyOf(key.id)))).toBe(true);
    expect(met(policy, () => false)).toBe(false);
  });
  const vkeyOf = (id: string) => shared.cosigned.find((vkey) => vkey.split("+")[1] === id) ?? "";

  it("is met by good lines only, and unsure by lines that cannot be checked", async () => {
    expect((await ruleOf(told(), trust, newest))?.outcome).toBe("met");
    for (const note of [...shared.lacking, ...shared.forged.slice(0, 1)]) expect((await ruleOf(told(), trust, parseCheckpoint(note)))?.outcome).toBe("open");
    expect((await without("ML-DSA-44", () => ruleOf(told(), trust, newest)))?.outcome).toBe("unsure");
  });

  it("is early until trust.json carries it, and says when it cannot be read", async () => {
    expect((await ruleOf(told(), trust, newest))?.early).toBe(true);
    expect((await ruleOf(told(), { ...trust, policy: shared.policy } as Trust, newest))?.early).toBe(false);
    for (const text of ["quorum w1\n", "witness a\nquorum none\n", "group g 2 a\nquorum g\n", "hello\n", `${shared.policy}quorum enough\n`, "# nothing\n"]) expect((await ruleOf({ ...told(), policy: text }, trust, newest))?.outcome).toBe("unreadable");
  });
});

describe("a witness", () => {
  const [w1, w2] = [shared.cosigned.slice(0, 2), shared.cosigned.slice(2)];
  const signedAt = shared.time * 1000 + 9000;

  it("is level by the lines under the newest checkpoint, whatever the office says", async () => {
    const [place] = await placesOf(told(follower(w1, null, { size: 3 })), newest, log, signedAt);
    expect(place).toMatchObject({ state: "level", size: shared.size, behind: 0, lag_ms: null, at: shared.time * 1000 });
  });

  it("is behind by as many entries and as much time as its own note shows", async () => {
    const later = { ...newest, size: shared.size + 100, lines: [] };
    const [place] = await placesOf(told(follower(w2, shared.note, { failing_since: 5, answers: false })), later, log, signedAt);
    expect(place).toMatchObject({ state: "behind", size: shared.size, behind: 100, lag_ms: 9000, failing_since: 5, answers: false });
  });

  it("has never signed when there is no line, and forged when one does not hold or another log signed", async () => {
    const bare = { ...newest, size: shared.size + 100, lines: [] };
    const state = async (...given: Parameters<typeof follower>) => (await placesOf(told(follower(...given)), bare, log, signedAt))[0]!.state;
    expect(await state(w1, null)).toBe("never");
    expect(await state(w1, own(shared.note))).toBe("never");
    expect(await state(w1, shared.forged[0]!)).toBe("forged");
    expect(await state(w1, shared.note.replace("office.example/ledger\n", "other.example/ledger\n"))).toBe("forged");
    expect(await state(w1, "not a note")).toBe("forged");
    const twin = { ...bare, size: shared.size, root: fromHex("00".repeat(32)) };
    expect((await placesOf(told(follower(w1, shared.note)), twin, log, signedAt))[0]!.state).toBe("forged");
  });
});

describe("what is typed", () => {
  it.each([["0", 0], [" #12 ", 12], ["１２", 12], ["1,233", 1233], ["+7", 7], ["7.0", 7]])("%s is an entry", (text, index) => {
    expect(readIndex(text, 1234)).toEqual({ index });
  });
  it.each([["", "empty"], [" ", "empty"], ["-1", "negative"], ["−5", "negative"], ["1.5", "fraction"], ["1234", "large"], ["99999999999999999999", "large"], ["abc", "text"], ["0x10", "text"], ["1e3", "text"], ["十二", "text"]])("%s is none: %s", (text, wrong) => {
    expect(readIndex(text, 1234)).toEqual({ wrong });
  });
});

describe("the plot", () => {
  it("has a column for each step, and the last ends now", () => {
    expect(columnsOf({ start: 1000, step_ms: 100, before: 5, sizes: [5, 8, 9] }, 1250)).toEqual([
      { start: 1000, end: 1100, added: 0, size: 5 },
      { start: 1100, end: 1200, added: 3, size: 8 },
      { start: 1200, end: 1250, added: 1, size: 9 },
    ]);
  });
  it("is marked at round whole numbers", () => {
    expect(ticksTo(12416, 4)).toEqual([0, 4000, 8000, 12000]);
    expect(ticksTo(3, 4)).toEqual([0, 1, 2, 3]);
    expect(ticksTo(0, 2)).toEqual([0]);
  });
  it("tells times in the unit a person would", () => {
    expect([0, 59_000, 61_000, 5_400_000, 86_400_000, 259_200_000].map(inUnits)).toEqual([
      { unit: "second", count: 0 }, { unit: "second", count: 59 }, { unit: "minute", count: 1 },
      { unit: "hour", count: 2 }, { unit: "hour", count: 24 }, { unit: "day", count: 3 },
    ]);
  });
});
