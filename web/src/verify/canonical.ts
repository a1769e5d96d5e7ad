/** RFC 8785 canonical JSON, as far as our files use it: no floats, ASCII keys. */

export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value && typeof value === "object") {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(",")}}`;
  }
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw new Error("a number that is no integer");
  return JSON.stringify(value);
}

/** The value of canonical bytes; throws when they are not canonical (so no duplicate keys, no second spelling). */
export function parseCanonical<T>(bytes: Uint8Array): T {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  const value: unknown = JSON.parse(text);
  if (canonical(value) !== text) throw new Error("not canonical JSON");
  return value as T;
}
