import { sha256, fromBase64, type Bytes } from "../signing/bytes";
import type { KeptReceipt } from "./receipts";

/** The files of a zip by name. Entries are STORED or deflated; anything else is skipped, never guessed at. */
export async function unzip(zip: Bytes): Promise<Map<string, Bytes>> {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const files = new Map<string, Bytes>();
  let end = zip.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--; // end of central directory (APPNOTE 4.3.16)
  if (end < 0) return files;
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  for (let i = 0; i < count && view.getUint32(at, true) === 0x02014b50; i++) {
    const method = view.getUint16(at + 10, true);
    const packed = view.getUint32(at + 20, true);
    const [nameLength, extra, comment] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true), view.getUint16(at + 32, true)];
    const local = view.getUint32(at + 42, true);
    const name = new TextDecoder().decode(zip.subarray(at + 46, at + 46 + nameLength));
    const from = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const body = zip.slice(from, from + packed);
    if (method === 0) files.set(name, body);
    else if (method === 8) files.set(name, await inflate(body));
    at += 46 + nameLength + extra + comment;
  }
  return files;
}

async function inflate(body: Bytes): Promise<Bytes> {
  const stream = new Blob([body]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * Leaf hashes by index that a copy holds: objects with `index` and `leaf_hash`, or with `index` and the `leaf` itself
 * (base64), whose hash is then computed here (RFC 6962 2.1: SHA-256 of 0x00 and the leaf).
 */
export async function leavesIn(copy: Bytes): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (const [name, body] of await unzip(copy)) {
    if (!name.endsWith(".json")) continue;
    let parsed: unknown;
    try {
      parsed = JSON.parse(new TextDecoder().decode(body));
    } catch {
      continue;
    }
    await collect(parsed, found);
  }
  return found;
}

async function collect(value: unknown, found: Map<number, string>): Promise<void> {
  if (!value || typeof value !== "object") return;
  if (Array.isArray(value)) {
    for (const item of value) await collect(item, found);
    return;
  }
  const { index, leaf_hash, leaf } = value as Record<string, unknown>;
  if (typeof index === "number" && typeof leaf === "string") {
    const bytes = fromBase64(leaf);
    const prefixed = new Uint8Array(bytes.length + 1);
    prefixed.set(bytes, 1);
    found.set(index, await sha256(prefixed));
  } else if (typeof index === "number" && typeof leaf_hash === "string" && !found.has(index)) found.set(index, leaf_hash);
  for (const inner of Object.values(value)) await collect(inner, found);
}

/** Receipts this page was shown that the copy does not hold, or holds with another hash. */
export function missingFrom(copy: Map<number, string>, receipts: readonly KeptReceipt[]): KeptReceipt[] {
  return receipts.filter((receipt) => copy.get(receipt.index) !== receipt.leaf_hash);
}
