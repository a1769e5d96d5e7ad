// @vitest-environment node
import { describe, expect, it } from "vitest";
import { endOfWriting } from "./writing";

/** A page 4 wide and 100 high with dark rows at `rows` and a pale watermark everywhere. */
function page(...rows: number[]): Uint8ClampedArray {
  const pixels = new Uint8ClampedArray(4 * 100 * 4).fill(230);
  for (const y of rows) pixels.fill(20, (y * 4 + 1) * 4, (y * 4 + 2) * 4);
  return pixels;
}

describe("endOfWriting", () => {
  it("is the last line above the foot", () => expect(endOfWriting(page(10, 12, 60, 62, 90), 4, 100)).toBe(0.63));
  it("is the last line of a page without a foot", () => expect(endOfWriting(page(10, 60, 62), 4, 100)).toBe(0.63));
  it("is the only line of a page", () => expect(endOfWriting(page(40), 4, 100)).toBe(0.41));
  it("is the page's end where nothing is written", () => expect(endOfWriting(page(), 4, 100)).toBe(1));
});
