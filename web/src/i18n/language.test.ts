// @vitest-environment node
import { describe, expect, it } from "vitest";
import { firstLanguage, inLanguage } from "./language";

describe("firstLanguage", () => {
  it.each([
    ["?lang=en", "lang=zh-CN", ["zh-CN"], "en"],
    ["", "a=1; lang=en", ["zh-CN"], "en"],
    ["", "", ["en-GB"], "en"],
    ["", "", ["zh-Hant-TW"], "zh-CN"],
    ["", "", ["fr-FR"], "zh-CN"],
    ["", "", [], "zh-CN"],
  ])("of %s, %s and %s is %s", (search, cookie, browser, expected) => {
    expect(firstLanguage(search, cookie, browser)).toBe(expected);
  });
});

describe("inLanguage", () => {
  it("prefers the reader's, and the other one to nothing", () => {
    expect(inLanguage({ "zh-CN": "委托", en: "Mandate" }, "en")).toBe("Mandate");
    expect(inLanguage({ "zh-CN": "委托" } as never, "en")).toBe("委托");
    expect(inLanguage(null, "en")).toBe("");
  });
});
