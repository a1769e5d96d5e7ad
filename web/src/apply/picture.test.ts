// @vitest-environment node
import { describe, expect, it } from "vitest";
import { advise, look } from "./picture";

function picture(width: number, height: number, grey: (x: number, y: number) => number): Uint8ClampedArray {
  const rgba = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) rgba.fill(grey(x, y), (y * width + x) * 4, (y * width + x) * 4 + 3);
  return rgba;
}
const advice = (grey: (x: number, y: number) => number) => advise(look(picture(64, 48, grey), 64, 48));

describe("advice about a picture", () => {
  it("sees darkness", () => expect(advice(() => 20)).toBe("dark"));
  it("sees glare", () => expect(advice((x) => (x < 32 ? 255 : 120))).toBe("glare"));
  it("wants to come closer when nothing is sharp", () => expect(advice((x) => 100 + x)).toBe("closer"));
  it("is content with sharp writing in good light", () => expect(advice((x, y) => ((x >> 1) + (y >> 1)) % 2 ? 200 : 60)).toBe("good"));
});
