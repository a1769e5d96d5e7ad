// @vitest-environment node
import { expect, test } from "vitest";
import { Problem } from "../api/problem";
import { toBase64, toHex } from "../signing/bytes";
import { leaf, ORIGIN, served, type Sign } from "../verify/fakes";
import { Log } from "../verify/log";
import { leafHash } from "../verify/merkle";
import type { Public } from "../verify/office";
import { Unavailable } from "../verify/report";
import { inTree } from "./tree";

const ID = [1, 2, 3, 4];

/** An office whose log has `size` entries and is signed with a key made here. */
async function office(size: number, meddle: Partial<Public> = {}): Promise<Public> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const sign: Sign = async (text) => {
    const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, new TextEncoder().encode(text)));
    return toBase64(Uint8Array.of(...ID, ...signature));
  };
  const vkey = `${ORIGIN}+${toHex(Uint8Array.from(ID))}+${toBase64(Uint8Array.of(1, ...raw))}`;
  return {
    trust: async () => ({ demo: false, office: { name_zh: "", name_en: "" }, ledger: { origin: ORIGIN, vkeys: [vkey] }, witnesses: [] }),
    log: () => Log.open(served(size, sign)),
    standing: () => Promise.reject(new Error("not asked here")),
    ...meddle,
  };
}
const shown = (index: number, of = index) => ({ index, leaf_hash: toHex(leafHash(leaf(of))), kind: "segment", at: 0 });

test("every place that was shown leads to the signed root, in either tile", async () => {
  const places = [0, 7, 255, 256, 299].map((index) => shown(index));
  expect(await inTree(places, await office(300))).toEqual({ size: 300, held: 5, missing: [], beyond: 0 });
});

test("a place that holds another leaf now is named", async () => {
  const found = await inTree([shown(7), shown(8, 9)], await office(300));
  expect([found.held, found.missing.map((each) => each.index)]).toEqual([1, [8]]);
});

test("a tail that was cut off is not called kept", async () => {
  const found = await inTree([shown(298), shown(299), shown(300)], await office(299));
  expect(found).toEqual({ size: 299, held: 1, missing: [], beyond: 2 });
});

test("a checkpoint that the office's key did not sign proves nothing", async () => {
  const stranger = await office(300);
  const forged = await office(300, { log: stranger.log });
  await expect(inTree([shown(1)], forged)).rejects.toMatchObject({ reason: "log-unsigned" });
});

test("without a line nothing is said about the ledger", async () => {
  const away = await office(300, { trust: () => Promise.reject(Problem.local("offline")) });
  await expect(inTree([shown(1)], away)).rejects.toBeInstanceOf(Unavailable);
});
