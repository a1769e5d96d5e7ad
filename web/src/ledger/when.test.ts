// @vitest-environment node
import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import { toBase64, toHex } from "../signing/bytes";
import { root } from "../verify/fakes";
import { type Fetch, Log, tilePath, tileWidth } from "../verify/log";
import { leafHash, nodeHash, type Hash } from "../verify/merkle";
import { type Key, parseKey } from "../verify/note";
import { whenOf } from "./when";

/** A log with a witness of its own (C2SP tlog-cosignature, Ed25519), whose lines it wrote down or not. */
const ORIGIN = "office.example/log";
const NOON = 1_795_442_400_000;
const utf8 = (text: string) => new TextEncoder().encode(text);

async function witness(name: string) {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const kind = [4, ...new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey))];
  const id = sha256(Uint8Array.from([...utf8(`${name}\n`), ...kind])).slice(0, 4);
  const key = parseKey(`${name}+${toHex(id)}+${toBase64(Uint8Array.from(kind))}`);
  async function line(size: number, top: Hash, at: number): Promise<string> {
    const text = `cosignature/v1\ntime ${at / 1000}\n${ORIGIN}\n${size}\n${toBase64(top)}\n`;
    const time = new Uint8Array(8);
    new DataView(time.buffer).setBigUint64(0, BigInt(at / 1000));
    const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, utf8(text)));
    return `\u2014 ${name} ${toBase64(Uint8Array.from([...id, ...time, ...signature]))}\n`;
  }
  return { key, line };
}
type Witness = Awaited<ReturnType<typeof witness>>;

const CHAIN = toHex(sha256(utf8(`ledger/anchors/v1\0${ORIGIN}`))).slice(0, 32);
const plain = (index: number) => utf8(JSON.stringify({ body: { kind: "evidence" }, case: "ab".repeat(16), index }));
const anchor = (index: number, body: Record<string, unknown>) => utf8(JSON.stringify({ body: { kind: "anchor", ...body }, case: CHAIN, index }));

/** Seven entries; the first says what the witness said of the empty tree, the fourth says what it said of three at noon, the seventh what it said of five a minute later. */
async function story(by: Witness, { time = NOON, forged = false, of = "cosignature", apart = 2 } = {}) {
  const leaves: Uint8Array[] = [];
  const said = new Map<string, Uint8Array>();
  async function write(size: number, at: number) {
    const line = utf8(await by.line(size, forged ? new Uint8Array(32) : size ? root(leaves.slice(0, size)) : sha256(new Uint8Array()), at));
    const digest = toHex(sha256(line));
    said.set(`attest/${size}/${digest}`, line);
    leaves.push(anchor(leaves.length, { of, sha256: digest, size, time: at, who: `${by.key.name}+${by.key.id}` }));
  }
  await write(0, time - 60_000);
  leaves.push(plain(1), plain(2));
  await write(3, time);
  for (let number = 0; number < apart; number++) leaves.push(plain(leaves.length));
  await write(apart + 3, time + 60_000);
  const files = new Map<string, Uint8Array>();
  let level: Hash[] = leaves.map(leafHash);
  for (let height = 0; level.length; height++) {
    for (let number = 0; tileWidth(height, number, leaves.length); number++) {
      const width = tileWidth(height, number, leaves.length);
      files.set(tilePath(height, number, width), Uint8Array.from(level.slice(number * 256, number * 256 + width).flatMap((hash) => [...hash])));
      if (!height) files.set(tilePath("entries", number, width), Uint8Array.from(leaves.slice(number * 256, number * 256 + width).flatMap((leaf) => [leaf.length >> 8, leaf.length & 255, ...leaf])));
    }
    const above: Hash[] = [];
    for (let at = 0; at + 256 <= level.length; at += 256) above.push(folded(level.slice(at, at + 256)));
    level = above;
  }
  const note = `${ORIGIN}\n${leaves.length}\n${toBase64(root(leaves))}\n\n\u2014 ${ORIGIN} AAAAAAAA\n`;
  const fetch: Fetch = async (path) => (path === "checkpoint" ? utf8(note) : files.get(path)!);
  return { log: await Log.open(fetch), attest: async (path: string) => said.get(path) ?? null, said };
}
/** The root over hashes whose count is a power of two. */
const folded = (hashes: Hash[]): Hash => (hashes.length === 1 ? hashes[0]! : nodeHash(folded(hashes.slice(0, hashes.length / 2)), folded(hashes.slice(hashes.length / 2))));
const told = async (index: number, made: Awaited<ReturnType<typeof story>>, keys: Key[]) => whenOf(made.log, await made.log.entry(index), keys, made.attest);

describe("an entry lies between", () => {
  it("what was written down before it, and the tree it was seen in", async () => {
    const by = await witness("w.example");
    const made = await story(by);
    const when = await told(4, made, [by.key]);
    expect(when.before).toEqual({ said: { at: NOON, who: "w.example", size: 3, anchor: 3 }, named: null });
    expect(when.after).toEqual({ said: { at: NOON + 60_999, who: "w.example", size: 5, anchor: 6 }, named: null });
    expect([when.low, when.high]).toEqual([0, 6]);
    expect((await told(2, made, [by.key])).before.said).toEqual({ at: NOON - 60_000, who: "w.example", size: 0, anchor: 0 });
    expect((await told(2, made, [by.key])).after.said?.at).toBe(NOON + 999);
    expect((await told(3, made, [by.key])).before.said?.anchor).toBe(3); // it holds the digest itself
    expect((await told(5, made, [by.key])).after.said).toBeNull();
  });

  it("nothing that is proven, where no key is known, nothing is shown, or the line is forged; then it is only named", async () => {
    const by = await witness("w.example");
    const other = await witness("w.example");
    const made = await story(by);
    const named = { at: NOON, who: `w.example+${by.key.id}`, size: 3, anchor: 3 };
    for (const keys of [[], [other.key]]) expect((await told(4, made, keys)).before).toEqual({ said: null, named });
    made.said.clear();
    expect((await told(4, made, [by.key])).before).toEqual({ said: null, named });
    const forged = await story(by, { forged: true });
    expect((await told(4, forged, [by.key])).before.said).toBeNull();
    const token = await story(by, { of: "timestamp" });
    expect((await told(4, token, [by.key])).before).toEqual({ said: null, named });
  });

  it("words thousands of entries away, looking no further than it must", async () => {
    const by = await witness("w.example");
    const made = await story(by, { apart: 3000 });
    const when = await told(1800, made, [by.key]);
    expect(when.before.said).toEqual({ at: NOON, who: "w.example", size: 3, anchor: 3 });
    expect(when.after.said).toEqual({ at: NOON + 60_999, who: "w.example", size: 3003, anchor: 3004 });
    expect([when.low, when.high, when.cut]).toEqual([0, 3004, []]);
    const near = await told(2, made, [by.key]);
    expect([near.low, near.high]).toEqual([0, 255]);
  });

  it("and says so where it has given up", async () => {
    const by = await witness("w.example");
    const made = await story(by, { apart: 33_800 });
    const when = await told(17_000, made, [by.key]);
    expect([when.before.said, when.after.said, when.cut]).toEqual([null, null, ["before", "after"]]);
    expect([when.low, when.high]).toEqual([768, 33_279]);
    const whole = await told(1000, made, []);
    expect([whole.low, whole.cut]).toEqual([0, ["after"]]); // there is nothing before the log's begin
  });

  it("nothing at all by bytes the anchor does not name", async () => {
    const by = await witness("w.example");
    const made = await story(by);
    for (const path of made.said.keys()) made.said.set(path, utf8(await by.line(2, root([plain(1), plain(2)]), NOON - 1000)));
    expect((await told(4, made, [by.key])).before.said).toBeNull();
  });
});
