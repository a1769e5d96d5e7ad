// @vitest-environment node
import { deflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { toBase64, type Bytes } from "../signing/bytes";
import { leavesIn, missingFrom, unzip } from "./copy";
import { DeviceShelf } from "./receipts";

/** A zip by hand (APPNOTE 4.3), entries stored or deflated. */
function zip(files: Record<string, { body: Uint8Array; deflate?: boolean }>): Bytes {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, { body, deflate }] of Object.entries(files)) {
    const packed = deflate ? deflateRawSync(body) : Buffer.from(body);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(deflate ? 8 : 0, 8);
    local.writeUInt32LE(packed.length, 18);
    local.writeUInt32LE(body.length, 22);
    local.writeUInt16LE(Buffer.byteLength(name), 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50);
    central.writeUInt16LE(deflate ? 8 : 0, 10);
    central.writeUInt32LE(packed.length, 20);
    central.writeUInt32LE(body.length, 24);
    central.writeUInt16LE(Buffer.byteLength(name), 28);
    central.writeUInt32LE(at, 42);
    directory.push(central, Buffer.from(name));
    parts.push(local, Buffer.from(name), packed);
    at += 30 + Buffer.byteLength(name) + packed.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(at, 16);
  return new Uint8Array(Buffer.concat([...parts, listed, end]));
}
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const receipt = (index: number, leaf_hash: string) => ({ index, leaf_hash, kind: "segment", at: 0 });

describe("unzip", () => {
  it("reads stored and deflated entries", async () => {
    const files = await unzip(zip({ "a.txt": { body: json("甲") }, "b.txt": { body: json("乙".repeat(500)), deflate: true } }));
    expect(new TextDecoder().decode(files.get("a.txt"))).toBe('"甲"');
    expect(new TextDecoder().decode(files.get("b.txt"))).toBe(`"${"乙".repeat(500)}"`);
  });

  it("finds nothing in what is no zip", async () => {
    expect((await unzip(json("nothing") as Bytes)).size).toBe(0);
  });
});

describe("the copy against the receipts", () => {
  it("finds every place, and computes the hash of a leaf that is there itself", async () => {
    const copy = zip({
      "receipt.json": { body: json({ entries: [{ index: 3, leaf_hash: "aa" }, { index: 4, leaf_hash: "bb" }] }) },
      // RFC 6962 2.1: the hash of the empty leaf is SHA-256 of one zero byte.
      "ledger/5.json": { body: json({ index: 5, leaf: toBase64(new Uint8Array()), leaf_hash: "a lie" }) },
      "broken.json": { body: new TextEncoder().encode("{") },
    });
    const leaves = await leavesIn(copy);
    expect(leaves.get(5)).toBe("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    expect(missingFrom(leaves, [receipt(3, "aa"), receipt(4, "bb")])).toEqual([]);
  });

  it("names the places that are gone or changed", async () => {
    const leaves = await leavesIn(zip({ "receipt.json": { body: json([{ index: 3, leaf_hash: "aa" }]) } }));
    const missing = missingFrom(leaves, [receipt(3, "ab"), receipt(9, "cc")]);
    expect(missing.map((each) => each.index)).toEqual([3, 9]);
  });
});

describe("DeviceShelf", () => {
  it("keeps receipts by session in order, also where the browser has no store", async () => {
    const shelf = new DeviceShelf(undefined);
    await shelf.keepReceipt("s1", receipt(10, "b"));
    await shelf.keepReceipt("s1", receipt(9, "a"));
    await shelf.keepReceipt("s2", receipt(1, "z"));
    expect((await shelf.receipts("s1")).map((each) => each.index)).toEqual([9, 10]);
  });
});
