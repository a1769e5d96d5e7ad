// @vitest-environment node
import jsQR from "jsqr";
import { describe, expect, it } from "vitest";
import { qrModules } from "./qr";

/** The code as a camera would see it: 6 pixels a module, a white border of four modules. */
function read(text: string): string | undefined {
  const modules = qrModules(text);
  const [scale, border] = [6, 4];
  const size = (modules.length + 2 * border) * scale;
  const rgba = new Uint8ClampedArray(size * size * 4).fill(255);
  modules.forEach((row, r) =>
    row.forEach((dark, c) => {
      if (!dark) return;
      for (let y = 0; y < scale; y++)
        for (let x = 0; x < scale; x++) {
          const at = (((r + border) * scale + y) * size + (c + border) * scale + x) * 4;
          rgba[at] = rgba[at + 1] = rgba[at + 2] = 0;
        }
    }),
  );
  return jsQR(rgba, size, size)?.data;
}

describe("qrModules", () => {
  it.each([1, 14, 15, 26, 42, 62, 84, 106, 122, 152, 180, 213])("is read back by another reader at %i bytes", (length) => {
    const text = "https://farseal.example/cases/".padEnd(length, "0123456789abcdef").slice(0, length);
    expect(read(text)).toBe(text);
  });

  it("carries Chinese", () => {
    expect(read("远证 会见")).toBe("远证 会见");
  });

  it("refuses what does not fit", () => {
    expect(() => qrModules("x".repeat(214))).toThrow(RangeError);
  });
});
