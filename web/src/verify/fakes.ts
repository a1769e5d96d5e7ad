import { toBase64 } from "../signing/bytes";
import { type Fetch, tilePath, tileWidth } from "./log";
import { type Hash, leafHash, nodeHash } from "./merkle";

/** A log made on the spot, for tests: its leaves, its tree as RFC 6962 writes it, and its files. */

export const ORIGIN = "example/log";
/** The signature line's key id and signature over a note's text, base64. */
export type Sign = (text: string) => Promise<string>;
const unsigned: Sign = async () => "AAAAAAAA";

export const leaf = (n: number) =>
  new TextEncoder().encode(JSON.stringify({ body: { kind: n % 7 ? "evidence" : "act-completed", pdf_sha256: `digest-${n}` }, index: n }));

/** MTH of RFC 6962 2.1, as it is written there. */
export function root(leaves: readonly Uint8Array[]): Hash {
  if (leaves.length === 1) return leafHash(leaves[0]!);
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(root(leaves.slice(0, k)), root(leaves.slice(k)));
}

/** The files of a log of `size` leaves, as a server would give them. */
export function served(size: number, sign: Sign = unsigned): Fetch {
  const leaves = Array.from({ length: size }, (_, n) => leaf(n));
  const files = new Map<string, Uint8Array>();
  const text = `${ORIGIN}\n${size}\n${toBase64(root(leaves))}\n`;
  for (let level = 0; 256 ** level <= size; level++)
    for (let number = 0; tileWidth(level, number, size) > 0; number++) {
      const width = tileWidth(level, number, size);
      const unit = 256 ** level;
      const hashes = Array.from({ length: width }, (_, i) => root(leaves.slice((number * 256 + i) * unit, (number * 256 + i + 1) * unit)));
      files.set(tilePath(level, number, width), Uint8Array.from(hashes.flatMap((hash) => [...hash])));
      if (level > 0) continue;
      const bundle = leaves.slice(number * 256, number * 256 + width).flatMap((data) => [data.length >> 8, data.length & 255, ...data]);
      files.set(tilePath("entries", number, width), Uint8Array.from(bundle));
    }
  return async (path) => {
    if (path === "checkpoint") return new TextEncoder().encode(`${text}\n\u2014 ${ORIGIN} ${await sign(text)}\n`);
    const file = files.get(path);
    if (!file) throw new Error(`no ${path}`);
    return file;
  };
}
