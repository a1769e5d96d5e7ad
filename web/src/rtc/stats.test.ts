import { expect, it } from "vitest";
import { StatsReader } from "./stats";

const report = (sent: number, received: number): [string, unknown][] => [
  ["a", { type: "outbound-rtp", kind: "audio", bytesSent: 0 }],
  ["b", { type: "outbound-rtp", kind: "video", bytesSent: sent, frameWidth: 1280, frameHeight: 720, framesPerSecond: 30 }],
  ["c", { type: "inbound-rtp", kind: "video", bytesReceived: received, framesDecoded: 60, frameWidth: 640, frameHeight: 480 }],
  ["d", { type: "inbound-rtp", kind: "video", bytesReceived: 0, framesDecoded: 0 }],
  ["e", { type: "remote-inbound-rtp", fractionLost: 0.04 }],
  ["f", { type: "candidate-pair", nominated: true, currentRoundTripTime: 0.0234 }],
  ["g", { type: "candidate-pair", nominated: false, currentRoundTripTime: 9 }],
];

it("reads sizes, loss, round trip, and rates between two reports", () => {
  const reader = new StatsReader();
  const first = reader.read(report(1_000, 2_000), 10_000);
  expect(first.sent.bitrate).toBe(0);
  const stats = reader.read(report(101_000, 52_000), 12_000);
  expect(stats).toMatchObject({
    rtt_ms: 23,
    loss: 0.04,
    sent: { width: 1280, height: 720, fps: 30, bitrate: 400_000 },
    received: { width: 640, height: 480, frames: 60, bitrate: 200_000 },
  });
});

it("knows nothing of a report without numbers", () => {
  expect(new StatsReader().read([], 1)).toMatchObject({ rtt_ms: null, loss: 0, received: { frames: 0 } });
});
