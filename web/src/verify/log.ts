import { sha256 } from "@noble/hashes/sha2.js";
import { climb, type Hash, leafHash, nodeHash, ProofError, type Step, siblings, subtree } from "./merkle";
import { type Checkpoint, parseCheckpoint } from "./note";

/** The public log read through its tiles (C2SP tlog-tiles); whatever is returned was proven to be in the tree. */

const WIDTH = 256;
export type Fetch = (path: string) => Promise<Uint8Array>;

export function tilePath(level: number | "entries", number: number, width: number = WIDTH): string {
  const groups = [String(number % 1000).padStart(3, "0")];
  for (let rest = Math.floor(number / 1000); rest; rest = Math.floor(rest / 1000)) groups.unshift(`x${String(rest % 1000).padStart(3, "0")}`);
  return `tile/${level}/${groups.join("/")}${width === WIDTH ? "" : `.p/${width}`}`;
}

/** How many hashes a tile has in a tree of `size` leaves. */
export const tileWidth = (level: number, number: number, size: number): number =>
  Math.max(0, Math.min(WIDTH, Math.floor(size / WIDTH ** level) - number * WIDTH));

export function readBundle(data: Uint8Array): Uint8Array[] {
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < data.length; ) {
    const end = at + 2 + ((data[at]! << 8) | (data[at + 1] ?? 0));
    if (end > data.length) throw new Error("an entry bundle is cut off");
    leaves.push(data.subarray(at + 2, end));
    at = end;
  }
  return leaves;
}

/** A leaf's fields that pages show. */
export interface Leaf {
  body: { kind: string; items?: { name: string; sha256: string }[] } & Record<string, unknown>;
  case: string;
  case_prev: string;
  case_seq: number;
  event: string;
  index: number;
  prev: string;
  time: number;
}

export interface Proven {
  leaf: Leaf;
  bytes: Uint8Array;
  hash: Hash;
  proof: Hash[];
  steps: Step[];
}

export class Log {
  private readonly kept = new Map<string, Promise<Uint8Array>>();

  constructor(
    private readonly fetch: Fetch,
    readonly checkpoint: Checkpoint,
  ) {}

  static async open(fetch: Fetch): Promise<Log> {
    return new Log(fetch, parseCheckpoint(new TextDecoder().decode(await fetch("checkpoint"))));
  }

  get size(): number {
    return this.checkpoint.size;
  }

  /** An entry with its inclusion proof, climbed here. Throws when it does not reach the signed root. */
  async entry(index: number): Promise<Proven> {
    if (!(index >= 0 && index < this.size)) throw new RangeError("no such entry");
    const bytes = (await this.leaves(Math.floor(index / WIDTH)))[index % WIDTH];
    if (!bytes) throw new Error("the entry is missing from its bundle");
    return this.prove(index, bytes);
  }

  async prove(index: number, bytes: Uint8Array): Promise<Proven> {
    const hash = leafHash(bytes);
    const found = await this.reach(index, hash);
    const leaf = JSON.parse(new TextDecoder().decode(bytes)) as Leaf;
    if (leaf.index !== index) throw new Error("the entry says it stands elsewhere");
    return { leaf, bytes, hash, ...found };
  }

  /** Climbs from a leaf's hash to the signed root, or to the root of a smaller tree, through the tree's own tiles.
   * Throws ProofError when it ends elsewhere. */
  async reach(index: number, hash: Hash, size = this.size, root: Hash = this.checkpoint.root): Promise<{ proof: Hash[]; steps: Step[] }> {
    const proof = await Promise.all(siblings(index, size).map(([low, high]) => subtree(low, high, (l, w) => this.perfect(l, w))));
    return { proof, steps: climb(index, size, hash, proof, root) };
  }

  /** The root of the tree of the first `size` entries, by the tiles: what somebody has signed must be exactly this. */
  async root(size: number): Promise<Hash> {
    if (!(Number.isSafeInteger(size) && size >= 0 && size <= this.size)) throw new ProofError("no such tree");
    if (size === 0) return sha256(new Uint8Array());
    return subtree(0, size, (low, width) => this.perfect(low, width));
  }

  /** The leaves of one entry bundle, not yet proven. */
  async leaves(number: number): Promise<Uint8Array[]> {
    const width = tileWidth(0, number, this.size);
    const leaves = readBundle(await this.get(tilePath("entries", number, width)));
    if (leaves.length < width) throw new Error("an entry bundle has too few entries");
    return leaves.slice(0, width);
  }

  /** Looks for bytes in every leaf, newest first, and proves what it finds. `told` hears the share read so far. */
  async find(text: string, wanted: (leaf: Leaf) => boolean, told: (share: number) => void = () => undefined): Promise<Proven[]> {
    const needle = text.replaceAll('"', '\\"');
    const found: Proven[] = [];
    const bundles = Math.ceil(this.size / WIDTH);
    for (let number = bundles - 1; number >= 0; number--) {
      const leaves = await this.leaves(number);
      for (const [offset, bytes] of leaves.entries()) {
        const line = new TextDecoder().decode(bytes);
        if (line.includes(needle) && wanted(JSON.parse(line) as Leaf)) found.push(await this.prove(number * WIDTH + offset, bytes));
      }
      told((bundles - number) / bundles);
    }
    return found;
  }

  /** The root of a perfect subtree of `width` leaves at `low`, out of the tile that holds it. */
  private async perfect(low: number, width: number): Promise<Hash> {
    const height = Math.log2(width);
    const level = Math.floor(height / 8);
    const unit = WIDTH ** level;
    const count = width / unit;
    const first = low / unit;
    const number = Math.floor(first / WIDTH);
    const tile = await this.get(tilePath(level, number, tileWidth(level, number, this.size)));
    let row = Array.from({ length: count }, (_, i) => {
      const at = ((first % WIDTH) + i) * 32;
      return tile.subarray(at, at + 32);
    });
    while (row.length > 1) row = row.flatMap((hash, i) => (i % 2 ? [] : [nodeHash(hash, row[i + 1]!)]));
    return row[0]!;
  }

  private get(path: string): Promise<Uint8Array> {
    let answer = this.kept.get(path);
    if (!answer) this.kept.set(path, (answer = this.fetch(path)));
    return answer;
  }
}
