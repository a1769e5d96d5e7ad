import { expect, it } from "vitest";
import { lineGrade } from "./quality";

const line = (loss: number, rtt_ms: number | null) => ({ loss, rtt_ms, width: 1280, height: 720, fps: 30, bitrate: 1_000_000 });

it("grades a line by what it loses and how long it takes", () => {
  expect(lineGrade(line(0, 40))).toBe("good");
  expect(lineGrade(line(0.02, 40))).toBe("fair");
  expect(lineGrade(line(0.06, 40))).toBe("poor");
  expect(lineGrade(line(0, 401))).toBe("poor");
  expect(lineGrade(line(0, null))).toBe("good");
});

it("calls no line good whose picture is missing, and none anything before it was measured", () => {
  expect(lineGrade(line(0, 40), false)).toBe("unseen");
  expect(lineGrade(null)).toBeNull();
  expect(lineGrade({ ...line(0, 40), height: 0 })).toBeNull();
});
