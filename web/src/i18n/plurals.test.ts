import { expect, test } from "vitest";

const files = import.meta.glob<Record<string, unknown>>("../locales/en/*.json", { import: "default", eager: true });

/** Said of more than one only: the page shows it from two on. */
const NEVER_ONE = new Set(["desk.identity.times", "apply.status.run", "verify.gaps_sum"]);

function* sentences(value: unknown, path: string): Generator<[string, string]> {
  if (typeof value === "string") yield [path, value];
  else for (const [key, inner] of Object.entries(value as Record<string, unknown>)) yield* sentences(inner, `${path}.${key}`);
}

test("whatever is counted in English is said of one and of many", () => {
  const counted = Object.entries(files)
    .filter(([file]) => !file.endsWith("/ledger.json")) // what a ledger counts is never one
    .flatMap(([file, room]) => [...sentences(room, /(\w+)\.json$/.exec(file)![1]!)])
    .filter(([, words]) => /\{(n|days|pages)\} (working )?[a-z]+s\b/.test(words));
  expect(counted.length).toBeGreaterThan(5);
  expect(counted.filter(([key, words]) => !words.includes(" | ") && !NEVER_ONE.has(key)).map(([key]) => key)).toEqual([]);
});
