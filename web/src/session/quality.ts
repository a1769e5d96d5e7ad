import type { Quality } from "../api/types";

export type LineGrade = "good" | "fair" | "poor" | "unseen";

/**
 * How somebody's line does, for words and bars; null while nothing was measured. Loss is before retransmission: what is
 * lost there costs time, and more than 5 % shows in the picture.
 */
export function lineGrade(quality: Quality | null | undefined, picture = true): LineGrade | null {
  if (!picture) return "unseen";
  if (!quality?.height) return null;
  const loss = quality.loss ?? 0;
  if (loss > 0.05 || (quality.rtt_ms ?? 0) > 400) return "poor";
  return loss > 0.01 ? "fair" : "good";
}

/** Of three bars, how many are filled. */
export const BARS: Record<LineGrade, number> = { good: 3, fair: 2, poor: 1, unseen: 0 };
