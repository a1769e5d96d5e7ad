// @vitest-environment node
import { describe, expect, it } from "vitest";

const files = import.meta.glob<Record<string, unknown>>("../locales/*/*.json", { eager: true, import: "default" });

function keysOf(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((item, i) => keysOf(item, `${path}[${i}]`));
  if (value && typeof value === "object")
    return Object.entries(value).flatMap(([key, inner]) => keysOf(inner, path ? `${path}.${key}` : key));
  return [path];
}
function sentencesOf(value: unknown): string[] {
  return value && typeof value === "object" ? Object.values(value).flatMap(sentencesOf) : [String(value)];
}
/** What a sentence is filled with; one said of one and of many ("a | b") names its number in either. */
const holes = (sentence: string) => [...new Set([...sentence.matchAll(/\{(\w+)\}/g)].map((m) => m[1]))].sort().join();
const rooms = [...new Set(Object.keys(files).map((path) => path.split("/").at(-1)!))];

describe.each(rooms)("%s", (room) => {
  const zh = files[`../locales/zh-CN/${room}`];
  const en = files[`../locales/en/${room}`];

  it("stands in both languages with the same keys", () => {
    expect(zh && en).toBeTruthy();
    expect(keysOf(en).sort()).toEqual(keysOf(zh).sort());
  });

  it("fills the same holes in both languages", () => {
    const [a, b] = [sentencesOf(zh), sentencesOf(en)];
    expect(b.map(holes).sort()).toEqual(a.map(holes).sort());
  });

  it("has no Chinese left in the English sentences", () => {
    expect(sentencesOf(en).filter((s) => /\p{Script=Han}/u.test(s.replace(/公证书|委托书/g, "")))).toEqual([]);
  });
});
