import type { PointGroup } from "signature_pad";
import type { Stroke } from "../api/types";

/** The pad's shape everywhere, so that handwriting keeps its form when the phone is turned. */
export const PAD_RATIO = 9 / 4;

/** The pad's points as strokes: x and y in [0, 1] of the pad, t in ms from the first touch, p in [0, 1]. */
export function strokesOf(groups: readonly PointGroup[], width: number, height: number): Stroke[] {
  const first = groups[0]?.points[0]?.time ?? 0;
  const within = (value: number) => Math.min(1, Math.max(0, value));
  return groups.map((group) =>
    group.points.map((point) => ({
      x: round(within(point.x / width)),
      y: round(within(point.y / height)),
      t: Math.max(0, Math.round(point.time - first)),
      p: round(within(point.pressure)),
    })),
  );
}

/** Strokes as the pad draws them at another size. */
export function groupsOf(strokes: readonly Stroke[], width: number, height: number, options: Omit<PointGroup, "points">): PointGroup[] {
  return strokes.map((stroke) => ({
    ...options,
    points: stroke.map((point) => ({ x: point.x * width, y: point.y * height, time: point.t, pressure: point.p })),
  }));
}

/** A dot or a slip is no signature: some length of pen on the pad is needed (in widths of the pad). */
export function isSignature(strokes: readonly Stroke[]): boolean {
  let length = 0;
  for (const stroke of strokes)
    for (let i = 1; i < stroke.length; i++) {
      const [a, b] = [stroke[i - 1]!, stroke[i]!];
      length += Math.hypot(b.x - a.x, (b.y - a.y) / PAD_RATIO);
    }
  return length > 0.15;
}

const round = (value: number) => Math.round(value * 10_000) / 10_000;
