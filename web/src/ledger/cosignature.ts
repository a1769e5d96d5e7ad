import type { Bytes } from "../signing/bytes";
import { type Checkpoint, ED25519, type Key, verifyEd25519 } from "../verify/note";

/** Signature lines under a checkpoint, checked by this browser's own WebCrypto (C2SP signed-note, tlog-cosignature). */

export const ED25519_COSIGNATURE = 4;
export const MLDSA44_COSIGNATURE = 6;
const [MLDSA_KEY, MLDSA_SIGNATURE] = [1312, 2420];

/** good, bad; none: there is no such line; unchecked: there is, and this browser cannot check its kind. */
export type Standing = "good" | "bad" | "none" | "unchecked";
export interface Line {
  standing: Standing;
  /** When the line says it was signed (ms); null for a kind without a time. */
  at: number | null;
}

/** What a key's line under this checkpoint is worth. Every line that bears the key's name and id has to hold. */
export async function lineOf(key: Key, checkpoint: Checkpoint): Promise<Line> {
  const lines = checkpoint.lines.filter((one) => one.name === key.name && one.id === key.id);
  if (!lines.length) return { standing: "none", at: null };
  const found = await Promise.all(lines.map((one) => check(key, checkpoint, one.signature)));
  return found.find((one) => one.standing === "bad") ?? found.find((one) => one.standing === "unchecked") ?? found[0]!;
}

async function check(key: Key, checkpoint: Checkpoint, data: Bytes): Promise<Line> {
  if (key.type === ED25519) return { standing: await held(verifyEd25519(key, encode(checkpoint.text), data)), at: null };
  if (key.type !== ED25519_COSIGNATURE && key.type !== MLDSA44_COSIGNATURE) return { standing: "unchecked", at: null };
  if (data.length !== 8 + (key.type === ED25519_COSIGNATURE ? 64 : MLDSA_SIGNATURE)) return { standing: "bad", at: null };
  const time = new DataView(data.buffer, data.byteOffset, 8).getBigUint64(0);
  // A time of 0 says nothing (C2SP tlog-witness), and one beyond 2^53 ms is none.
  if (time === 0n || time > 9_000_000_000_000n) return { standing: "bad", at: null };
  const signature = data.slice(8);
  const standing =
    key.type === ED25519_COSIGNATURE
      ? await held(verifyEd25519(key, encode(`cosignature/v1\ntime ${time}\n${checkpoint.text}`), signature))
      : await held(verifyMlDsa(key, cosignedMessage(key.name, time, checkpoint), signature));
  return { standing, at: Number(time) * 1000 };
}

/** The `cosigned_message` of C2SP tlog-cosignature, for a whole tree (its start is 0). */
export function cosignedMessage(cosigner: string, time: bigint, checkpoint: Checkpoint): Bytes {
  const opaque = (text: string) => {
    const data = encode(text);
    if (data.length > 255) throw new RangeError("a name is longer than 255 bytes");
    return [data.length, ...data];
  };
  const number = (value: bigint) => [...new Uint8Array(new BigUint64Array([value]).buffer)].reverse();
  return Uint8Array.from([...encode("subtree/v1\n\0"), ...opaque(cosigner), ...number(time), ...opaque(checkpoint.origin), ...number(0n), ...number(BigInt(checkpoint.size)), ...checkpoint.root]);
}

async function verifyMlDsa(key: Key, message: Bytes, signature: Bytes): Promise<boolean> {
  if (key.public.length !== MLDSA_KEY) return false;
  // "raw-public" and this algorithm are newer than TypeScript's own list.
  const imported = await crypto.subtle.importKey("raw-public" as "raw", key.public, { name: "ML-DSA-44" }, false, ["verify"]);
  return crypto.subtle.verify({ name: "ML-DSA-44" }, imported, signature, message);
}

/** A browser that does not know a kind of key throws, at once or in the promise; that is no verdict about the line. */
async function held(verified: Promise<boolean>): Promise<Standing> {
  try {
    return (await verified) ? "good" : "bad";
  } catch {
    return "unchecked";
  }
}

const encode = (text: string): Bytes => new TextEncoder().encode(text);
