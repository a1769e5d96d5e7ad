// @vitest-environment node
import { describe, expect, it } from "vitest";
import { leaf, root, served } from "./fakes";
import { fromHex } from "./hex";
import { Log, tilePath } from "./log";
import { climb, leafHash, ProofError, same, siblings } from "./merkle";

describe("inclusion proofs", () => {
  it("match the reference hashes of RFC 6962", () => {
    // The leaves 0x, 00, 10, 2021 of the widely used reference tree, and its root of size 4.
    const leaves = ["", "00", "10", "2021"].map(fromHex);
    expect(same(root(leaves), fromHex("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"))).toBe(true);
  });

  it("are climbed for every leaf of every small tree, and for no other leaf, size or proof", () => {
    for (let size = 1; size <= 20; size++) {
      const leaves = Array.from({ length: size }, (_, n) => leaf(n));
      const top = root(leaves);
      for (let index = 0; index < size; index++) {
        const proof = siblings(index, size).map(([low, high]) => root(leaves.slice(low, high)));
        const hash = leafHash(leaves[index]!);
        expect(climb(index, size, hash, proof, top)).toHaveLength(proof.length);
        expect(() => climb(index, size, leafHash(leaf(99)), proof, top)).toThrow(ProofError);
        expect(() => climb(index, size, hash, [...proof, hash], top)).toThrow(ProofError);
        expect(() => climb(size, size, hash, proof, top)).toThrow(ProofError);
        if (proof.length) {
          expect(() => climb(index, size, hash, proof.slice(1), top)).toThrow(ProofError);
          expect(() => climb(index ^ 1, size, hash, proof, top)).toThrow(ProofError);
        }
      }
    }
  });

  it("refuse hashes of another length", () => {
    expect(() => climb(0, 1, new Uint8Array(0), [], new Uint8Array(0))).toThrow(ProofError);
  });
});

describe("the log", () => {
  it("proves entries out of tiles, across full and partial tiles", async () => {
    for (const size of [1, 255, 256, 257, 300, 600]) {
      const log = await Log.open(served(size));
      for (const index of new Set([0, size >> 1, size - 1, Math.min(256, size - 1)])) {
        const entry = await log.entry(index);
        expect(entry.leaf.index).toBe(index);
        expect(entry.proof).toHaveLength(siblings(index, size).length);
      }
      await expect(log.entry(size)).rejects.toThrow(RangeError);
    }
  });

  it("finds an entry by its text and reads all there is before it says no", async () => {
    const log = await Log.open(served(300));
    const shares: number[] = [];
    const wanted = (digest: string) => log.find(digest, (one) => one.body.kind === "act-completed" && one.body.pdf_sha256 === digest, (share) => shares.push(share));
    expect((await wanted("digest-14")).map((found) => found.leaf.index)).toEqual([14]);
    expect(await wanted("digest-15")).toEqual([]);
    expect(shares.at(-1)).toBe(1);
  });

  it("does not believe an entry that the signed root does not cover", async () => {
    const fetch = served(300);
    const log = await Log.open(async (path) => {
      const file = (await fetch(path)).slice();
      if (path.startsWith("tile/entries/001")) file[30]! ^= 1;
      return file;
    });
    await expect(log.entry(256)).rejects.toThrow(ProofError);
    expect((await log.entry(3)).leaf.index).toBe(3);
  });

  it("names tiles as C2SP does", () => {
    expect(tilePath(0, 1234067)).toBe("tile/0/x001/x234/067");
    expect(tilePath("entries", 5, 12)).toBe("tile/entries/005.p/12");
  });
});
