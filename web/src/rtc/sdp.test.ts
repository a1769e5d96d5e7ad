import { expect, it } from "vitest";
import { withAudioNack } from "./sdp";
import { OFFER } from "./fakes";

it("adds audio NACK behind each Opus line and touches nothing else", () => {
  const sdp = `${OFFER}m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:63 red/48000/2\r\n`;
  const changed = withAudioNack(sdp);
  expect(changed.match(/a=rtcp-fb:111 nack\r\n/g)).toHaveLength(2);
  expect(changed.replaceAll("a=rtcp-fb:111 nack\r\n", "")).toBe(sdp);
});

it("leaves an offer alone that has it, or has no Opus", () => {
  const changed = withAudioNack(OFFER);
  expect(withAudioNack(changed)).toBe(changed);
  expect(withAudioNack("v=0\r\nm=video 9 X 96\r\n")).toBe("v=0\r\nm=video 9 X 96\r\n");
});
