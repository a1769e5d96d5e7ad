// @vitest-environment node
import { describe, expect, it } from "vitest";
import { firstLanguage, inLanguage, inOneLine } from "./language";

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

describe("inOneLine", () => {
  it("sets a space between English sentences and none between Chinese ones", () => {
    expect(inOneLine("Wrong digit.", "", "Look again.")).toBe("Wrong digit. Look again.");
    expect(inOneLine("校验位不对。", "已保存。", null, "请再看一遍。")).toBe("校验位不对。已保存。请再看一遍。");
    expect(inOneLine()).toBe("");
  });
});
