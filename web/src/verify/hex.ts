/** Lowercase hex to bytes; throws on anything else. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Error("not lowercase hex");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** A digest short enough to compare by eye, as on paper. */
export const short = (hex: string): string => (hex.length > 24 ? `${hex.slice(0, 12)}…${hex.slice(-8)}` : hex);
