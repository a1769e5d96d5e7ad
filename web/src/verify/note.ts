import { fromBase64, toHex, type Bytes } from "../signing/bytes";

/** Signed checkpoints (C2SP signed-note, tlog-checkpoint), and the office's keys out of trust.json. */

export class NoteError extends Error {}

export interface Checkpoint {
  origin: string;
  size: number;
  root: Bytes;
  text: string;
  note: string;
  lines: { name: string; id: string; signature: Bytes }[];
}

/** A note's claims; nothing is believed yet. */
export function parseCheckpoint(note: string): Checkpoint {
  const cut = note.lastIndexOf("\n\n");
  const lines = note.slice(0, cut + 1).split("\n");
  const [origin, size, root] = lines;
  if (cut < 0 || lines.length !== 4 || !origin || !/^(0|[1-9]\d{0,15})$/.test(size ?? "") || !root) throw new NoteError("not a checkpoint");
  const hash = fromBase64(root);
  if (hash.length !== 32) throw new NoteError("the root is not 32 bytes long");
  const signatures = note
    .slice(cut + 2)
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const match = /^\u2014 (\S+) (\S+)$/.exec(line);
      if (!match) throw new NoteError("not a signature line");
      const raw = fromBase64(match[2]!);
      return { name: match[1]!, id: toHex(raw.slice(0, 4)), signature: raw.slice(4) };
    });
  return { origin, size: Number(size), root: hash, text: note.slice(0, cut + 1), note, lines: signatures };
}

/** When the checkpoint was signed (ms), from the timestamped line, if it has one (type 0x06 carries seconds first). */
export function signedAt(checkpoint: Checkpoint, keys: readonly Key[]): number | null {
  for (const key of keys.filter((one) => one.type !== ED25519)) {
    const line = checkpoint.lines.find((one) => one.name === key.name && one.id === key.id);
    if (line) return Number(new DataView(line.signature.buffer, line.signature.byteOffset, 8).getBigUint64(0)) * 1000;
  }
  return null;
}

export interface Key {
  name: string;
  id: string;
  type: number;
  public: Bytes;
}
export const ED25519 = 1;

export function parseKey(vkey: string): Key {
  const [name, id, ...rest] = vkey.split("+");
  const raw = fromBase64(rest.join("+"));
  if (!name || !id || raw.length < 2) throw new NoteError("not a verifier key");
  return { name, id, type: raw[0]!, public: raw.slice(1) };
}

export async function verifyEd25519(key: Key, message: Bytes, signature: Bytes): Promise<boolean> {
  const imported = await crypto.subtle.importKey("raw", key.public, "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", imported, signature, message);
}

/** The office's Ed25519 key that signed this checkpoint. Throws NoteError when there is none, or it does not hold. */
export async function requireSigned(checkpoint: Checkpoint, keys: readonly Key[]): Promise<Key> {
  const message = new TextEncoder().encode(checkpoint.text);
  for (const key of keys.filter((one) => one.type === ED25519 && one.name === checkpoint.origin)) {
    const line = checkpoint.lines.find((one) => one.name === key.name && one.id === key.id);
    if (line && (await verifyEd25519(key, message, line.signature))) return key;
  }
  throw new NoteError("the log's signature does not hold");
}
