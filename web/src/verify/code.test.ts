// @vitest-environment node
import { expect, it } from "vitest";
import { asked, codeIn } from "./code";

it("reads the code out of a QR's address, and out of nothing else", () => {
  expect(codeIn("https://office.example/v/7K2M-93QX")).toBe("7K2M-93QX");
  expect(codeIn("http://localhost:8080/v/abcdefghij?x=1")).toBe("abcdefghij");
  for (const other of ["https://office.example/", "7K2M-93QX", "https://x/v/", "https://x/v/a b", "javascript:alert(1)"]) expect(codeIn(other)).toBeNull();
});

it("tells a number from a code as people write them", () => {
  expect(asked(" (2026) 示远山证字第12号 ")).toEqual({ number: "（2026）示远山证字第12号" });
  expect(asked("7K2M-93QX")).toEqual({ code: "7K2M-93QX" });
  expect(asked("https://office.example/v/7K2M-93QX")).toEqual({ code: "7K2M-93QX" });
  expect(asked("  ")).toBeNull();
});
