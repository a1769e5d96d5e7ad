/** What a call's numbers are now, out of the browser's report. */

export interface CallStats {
  /** Round trip to the server, ms; null before the first measurement. */
  rtt_ms: number | null;
  /** Share of our packets the server missed lately, 0..1. */
  loss: number;
  sent: { width: number; height: number; fps: number; bitrate: number; limited: string };
  received: { width: number; height: number; fps: number; bitrate: number; frames: number; frozen_ms: number };
}

interface Totals {
  at: number;
  sent: number;
  received: number;
}

type Row = Record<string, unknown> & { type: string };

const number = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0);

/** Turns reports into rates: it remembers the totals of the report before. */
export class StatsReader {
  private before: Totals | null = null;

  read(report: Iterable<[string, unknown]>, at: number): CallStats {
    const stats: CallStats = {
      rtt_ms: null,
      loss: 0,
      sent: { width: 0, height: 0, fps: 0, bitrate: 0, limited: "none" },
      received: { width: 0, height: 0, fps: 0, bitrate: 0, frames: 0, frozen_ms: 0 },
    };
    const totals: Totals = { at, sent: 0, received: 0 };
    for (const [, value] of report) {
      const row = value as Row;
      if (row.type === "outbound-rtp") {
        totals.sent += number(row.bytesSent);
        if (row.kind === "video") {
          stats.sent.width = number(row.frameWidth);
          stats.sent.height = number(row.frameHeight);
          stats.sent.fps = number(row.framesPerSecond);
          stats.sent.limited = String(row.qualityLimitationReason ?? "none");
        }
      } else if (row.type === "inbound-rtp") {
        totals.received += number(row.bytesReceived);
        if (row.kind === "video" && number(row.framesDecoded) >= stats.received.frames) {
          stats.received.width = number(row.frameWidth);
          stats.received.height = number(row.frameHeight);
          stats.received.fps = number(row.framesPerSecond);
          stats.received.frames = number(row.framesDecoded);
          stats.received.frozen_ms = Math.round(number(row.totalFreezesDuration) * 1000);
        }
      } else if (row.type === "remote-inbound-rtp") {
        stats.loss = Math.max(stats.loss, number(row.fractionLost));
      } else if (row.type === "candidate-pair" && row.nominated && typeof row.currentRoundTripTime === "number") {
        stats.rtt_ms = Math.round(row.currentRoundTripTime * 1000);
      }
    }
    const before = this.before;
    if (before && at > before.at) {
      const rate = (now: number, then: number) => Math.max(0, Math.round(((now - then) * 8000) / (at - before.at)));
      stats.sent.bitrate = rate(totals.sent, before.sent);
      stats.received.bitrate = rate(totals.received, before.received);
    }
    this.before = totals;
    return stats;
  }
}
