import { sha256 } from "@noble/hashes/sha2.js";

/** The Merkle tree of RFC 6962 2.1 over SHA-256, as far as a reader needs it. Hashes are 32 bytes. */

export type Hash = Uint8Array;

export class ProofError extends Error {}

function prefixed(prefix: number, ...parts: Uint8Array[]): Hash {
  const hash = sha256.create().update(Uint8Array.of(prefix));
  for (const part of parts) hash.update(part);
  return hash.digest();
}
export const leafHash = (leaf: Uint8Array): Hash => prefixed(0, leaf);
export const nodeHash = (left: Hash, right: Hash): Hash => prefixed(1, left, right);

export const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** One step of a proof: the sibling, its side, and the node both make. */
export interface Step {
  sibling: Hash;
  side: "left" | "right";
  node: Hash;
}

/**
 * Climb from a leaf to the root of a tree of `size` leaves and return every step (RFC 9162 2.1.3.2).
 * Throws ProofError unless the proof is exactly as long as it must be and ends at `root`.
 */
export function climb(index: number, size: number, leaf: Hash, proof: readonly Hash[], root: Hash): Step[] {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) throw new ProofError("no such leaf");
  if ([leaf, root, ...proof].some((hash) => hash.length !== 32)) throw new ProofError("a hash is not 32 bytes long");
  const steps: Step[] = [];
  let node = leaf;
  let at = index;
  let last = size - 1;
  for (const sibling of proof) {
    if (last === 0) throw new ProofError("the proof is too long");
    const left = at % 2 === 1 || at === last;
    node = left ? nodeHash(sibling, node) : nodeHash(node, sibling);
    steps.push({ sibling, side: left ? "left" : "right", node });
    // Where the right edge has no sibling of its own, the node moves up alone.
    if (left) while (at % 2 === 0 && at !== 0) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  if (last !== 0) throw new ProofError("the proof is too short");
  if (!same(node, root)) throw new ProofError("the proof ends at another root");
  return steps;
}

/** The largest power of two below `width`. */
function split(width: number): number {
  let point = 1;
  while (point * 2 < width) point *= 2;
  return point;
}

/** The subtrees [low, high) whose roots are the audit path of a leaf, the leaf's own sibling first (RFC 6962 2.1.1). */
export function siblings(index: number, size: number): [number, number][] {
  const found: [number, number][] = [];
  let [low, high] = [0, size];
  while (high - low > 1) {
    const middle = low + split(high - low);
    if (index < middle) {
      found.push([middle, high]);
      high = middle;
    } else {
      found.push([low, middle]);
      low = middle;
    }
  }
  return found.reverse();
}

/** The root of the leaves [low, high), out of roots of perfect subtrees: `perfect(low, width)`, width a power of two. */
export async function subtree(low: number, high: number, perfect: (low: number, width: number) => Promise<Hash>): Promise<Hash> {
  const width = high - low;
  if (Number.isInteger(Math.log2(width)) && low % width === 0) return perfect(low, width);
  const middle = low + split(width);
  return nodeHash(await subtree(low, middle, perfect), await subtree(middle, high, perfect));
}
