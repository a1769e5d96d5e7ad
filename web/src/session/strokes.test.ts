// @vitest-environment node
import { describe, expect, it } from "vitest";
import { groupsOf, isSignature, strokesOf } from "./strokes";

const OPTIONS = { dotSize: 0, minWidth: 1, maxWidth: 4, penColor: "#000", velocityFilterWeight: 0.7, compositeOperation: "source-over" as const };
const group = (points: [number, number, number][]) => ({
  ...OPTIONS,
  points: points.map(([x, y, time]) => ({ x, y, time, pressure: 0.5 })),
});

describe("strokes", () => {
  it("are in [0, 1] of the pad, with time from the first touch", () => {
    const strokes = strokesOf([group([[0, 0, 1000], [90, 20, 1016]]), group([[180, 80, 1500], [200, -5, 1520]])], 180, 80);
    expect(strokes).toEqual([
      [{ x: 0, y: 0, t: 0, p: 0.5 }, { x: 0.5, y: 0.25, t: 16, p: 0.5 }],
      [{ x: 1, y: 1, t: 500, p: 0.5 }, { x: 1, y: 0, t: 520, p: 0.5 }],
    ]);
  });

  it("are drawn again at another size in the same form", () => {
    const strokes = strokesOf([group([[18, 40, 0], [90, 20, 16]])], 180, 80);
    expect(groupsOf(strokes, 360, 160, OPTIONS)[0]!.points.map(({ x, y }) => [x, y])).toEqual([[36, 80], [180, 40]]);
  });

  it("of a dot or a slip are no signature", () => {
    expect(isSignature([])).toBe(false);
    expect(isSignature(strokesOf([group([[50, 50, 0]])], 180, 80))).toBe(false);
    expect(isSignature(strokesOf([group([[50, 50, 0], [55, 50, 9]])], 180, 80))).toBe(false);
    expect(isSignature(strokesOf([group([[20, 40, 0], [120, 40, 200]])], 180, 80))).toBe(true);
  });
});
