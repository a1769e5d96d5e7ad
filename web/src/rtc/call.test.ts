import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Call } from "./call";
import type { CallState } from "./call";
import { FakePeer, FakeStream, FakeTrack, fakeDevices } from "./fakes";

function stage(send: (offer: string) => Promise<string> = () => Promise.resolve("answer"), iceServers?: () => Promise<RTCIceServer[]>) {
  const peers: FakePeer[] = [];
  const offers: string[] = [];
  const given: FakeTrack[] = [];
  const call = new Call({
    send: (offer) => {
      offers.push(offer);
      return send(offer);
    },
    slots: 2,
    ...(iceServers && { iceServers }),
    makePeer: (configuration) => {
      const peer = new FakePeer(configuration);
      peers.push(peer);
      return peer as unknown as RTCPeerConnection;
    },
    makeStream: () => new FakeStream() as unknown as MediaStream,
    around: {
      mediaDevices: fakeDevices((wanted) => {
        const tracks = (["audio", "video"] as const).filter((kind) => wanted[kind]).map((kind) => new FakeTrack(kind));
        given.push(...tracks);
        return new FakeStream(tracks);
      }),
      secure: true,
      userAgent: "Firefox",
    },
  });
  const states: CallState[] = [];
  call.on("state", (state) => states.push(state));
  const newest = () => peers[peers.length - 1]!;
  return { call, peers, offers, states, given, newest };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a call", () => {
  it("offers one line out of each kind and two slots in, on one transport, with audio NACK and no public STUN", async () => {
    const { call, offers, newest, states } = stage();
    await call.start();
    newest().become("connected");
    expect(newest().lines.map((line) => `${line.kind} ${line.direction}`)).toEqual([
      "audio sendonly",
      "video sendonly",
      "audio recvonly",
      "video recvonly",
      "audio recvonly",
      "video recvonly",
    ]);
    expect(newest().configuration).toEqual({ iceServers: [], bundlePolicy: "max-bundle" });
    expect(offers[0]).toContain("a=rtcp-fb:111 nack\r\n");
    expect(newest().remoteDescription?.sdp).toBe("answer");
    expect(states).toEqual(["opening", "connecting", "connected"]);
  });

  it("gives up frames before lines of the picture while a card is held up", async () => {
    const { call, newest } = stage();
    await call.start();
    const sender = newest().lines[1]!.sender;
    expect(sender.parameters).toEqual({ degradationPreference: "balanced" });
    call.favour("detail");
    await vi.waitFor(() => expect(sender.parameters).toEqual({ degradationPreference: "maintain-resolution" }));
  });

  it("says why a camera cannot be had, and can be started again", async () => {
    const { call, states } = stage();
    const refused = new Call({
      send: () => Promise.resolve(""),
      around: {
        mediaDevices: fakeDevices(() => new DOMException("no", "NotAllowedError")),
        secure: true,
        userAgent: "",
      },
    });
    await expect(refused.start()).rejects.toMatchObject({ trouble: "refused" });
    expect(refused.state).toBe("idle");
    await call.start();
    expect(states).toContain("connecting");
  });

  it("shows each slot in a stream that stays the same through a new connection", async () => {
    const { call, newest } = stage();
    const shown: { slot: number; stream: MediaStream }[] = [];
    call.on("slot", (event) => shown.push(event));
    await call.start();
    newest().receive("audio", "slot1");
    newest().receive("video", "slot1");
    newest().receive("video", "none");
    const [first] = shown;
    expect(shown.map((each) => each.slot)).toEqual([1, 1]);
    call.reconnect();
    await vi.advanceTimersByTimeAsync(0);
    const fresh = newest().receive("video", "slot1");
    expect(shown[2]?.stream).toBe(first?.stream);
    const kinds = shown[2]!.stream.getTracks().map((track) => track.kind);
    expect(kinds.sort()).toEqual(["audio", "video"]);
    expect(shown[2]!.stream.getTracks()).toContain(fresh);
  });

  it("lets a broken line heal for 3 s, then connects anew with the same tracks", async () => {
    const { call, peers, states, given } = stage();
    await call.start();
    peers[0]!.become("connected");
    peers[0]!.become("disconnected");
    await vi.advanceTimersByTimeAsync(2_900);
    peers[0]!.become("connected");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(peers).toHaveLength(1);

    peers[0]!.become("disconnected");
    await vi.advanceTimersByTimeAsync(3_600);
    expect(peers[0]!.closed).toBe(true);
    expect(peers).toHaveLength(2);
    expect(peers[1]!.lines[0]!.sender.track).toBe(given[0]);
    expect(given.some((track) => track.stopped)).toBe(false);
    peers[1]!.become("connected");
    expect(states.slice(-2)).toEqual(["interrupted", "connected"]);
  });

  it("tries again with growing pauses while the server is out of reach", async () => {
    let reachable = false;
    const { call, peers, newest } = stage(() => (reachable ? Promise.resolve("answer") : Promise.reject(new Error())));
    await call.start();
    expect(call.state).toBe("interrupted");
    await vi.advanceTimersByTimeAsync(500 + 1_000 + 2_000 + 10);
    expect(peers).toHaveLength(4);
    reachable = true;
    await vi.advanceTimersByTimeAsync(4_000);
    newest().become("connected");
    expect(call.state).toBe("connected");
    expect(peers.slice(0, -1).every((peer) => peer.closed)).toBe(true);
  });

  it("asks for a relay's credentials at each connection, and does without when there are none to be had", async () => {
    let asked = 0;
    const { call, peers } = stage(undefined, () => {
      asked++;
      return asked === 2 ? Promise.reject(new Error("no")) : Promise.resolve([{ urls: "turn:x", username: String(asked) }]);
    });
    await call.start();
    expect(peers[0]!.configuration.iceServers).toEqual([{ urls: "turn:x", username: "1" }]);
    for (const expected of [[], [{ urls: "turn:x", username: "3" }]]) {
      call.reconnect();
      await vi.advanceTimersByTimeAsync(0);
      expect(peers[peers.length - 1]!.configuration.iceServers).toEqual(expected);
    }
  });

  it("makes no connection for credentials that came too late", async () => {
    let give: (servers: RTCIceServer[]) => void = () => undefined;
    const { call, peers } = stage(undefined, () => new Promise((resolve) => (give = resolve)));
    const started = call.start();
    await vi.advanceTimersByTimeAsync(0);
    call.close();
    give([]);
    await started;
    expect(peers).toHaveLength(0);
  });

  it("tells a relay that refuses us from one that does not answer", async () => {
    const { call, newest } = stage();
    const told: unknown[] = [];
    call.on("relay", (trouble) => told.push(trouble));
    await call.start();
    newest().onicecandidateerror?.({ errorCode: 401 });
    newest().onicecandidateerror?.({ errorCode: 701 });
    expect(told).toEqual(["refused", "unavailable"]);
  });

  it("gives up a connection that never comes up", async () => {
    const { call, peers } = stage();
    await call.start();
    await vi.advanceTimersByTimeAsync(15_600);
    expect(peers[0]!.closed).toBe(true);
    expect(peers).toHaveLength(2);
  });

  it("does not listen to a connection it has replaced", async () => {
    const { call, peers } = stage();
    await call.start();
    call.reconnect();
    await vi.advanceTimersByTimeAsync(0);
    peers[1]!.become("connected");
    peers[0]!.become("failed");
    expect(call.state).toBe("connected");
    expect(peers).toHaveLength(2);
  });

  it("stays mute through a new connection and another microphone", async () => {
    const { call, newest, given } = stage();
    const muted: unknown[] = [];
    call.on("muted", (event) => muted.push(event));
    await call.start();
    call.mute("audio", true);
    expect(given[0]!.enabled).toBe(false);
    expect(given[1]!.enabled).toBe(true);
    await call.use("audio", "headset");
    const fresh = given[2]!;
    expect(fresh.enabled).toBe(false);
    expect(given[0]!.stopped).toBe(true);
    expect(newest().lines[0]!.sender.track).toBe(fresh);
    call.mute("audio", false);
    expect(fresh.enabled).toBe(true);
    expect(muted).toEqual([
      { kind: "audio", muted: true },
      { kind: "audio", muted: false },
    ]);
  });

  it("tells when a device is unplugged", async () => {
    const { call, given } = stage();
    const troubles: unknown[] = [];
    call.on("trouble", (event) => troubles.push(event));
    await call.start();
    given[1]!.onended?.();
    expect(troubles).toEqual([{ kind: "video", trouble: "lost" }]);
  });

  it("tells its numbers each two seconds while connected", async () => {
    const { call, newest } = stage();
    const rates: number[] = [];
    call.on("stats", (stats) => rates.push(stats.received.frames));
    await call.start();
    newest().report = [["v", { type: "inbound-rtp", kind: "video", framesDecoded: 31 }]];
    await vi.advanceTimersByTimeAsync(4_100);
    expect(rates).toEqual([]);
    newest().become("connected");
    await vi.advanceTimersByTimeAsync(4_100);
    expect(rates).toEqual([31, 31]);
  });

  it("gives the devices back and stays closed", async () => {
    const { call, peers, given } = stage();
    await call.start();
    peers[0]!.become("connected");
    call.close();
    peers[0]!.become("failed");
    call.reconnect();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(call.state).toBe("closed");
    expect(peers).toHaveLength(1);
    expect(peers[0]!.closed).toBe(true);
    expect(given.every((track) => track.stopped)).toBe(true);
  });

  it("takes a stream that is already open", async () => {
    const { call, newest, given } = stage();
    const track = new FakeTrack("video");
    await call.start(new FakeStream([track]) as unknown as MediaStream);
    expect(given).toEqual([]);
    expect(newest().lines[1]!.sender.track).toBe(track);
    expect(newest().lines[0]!).toMatchObject({ kind: "audio", direction: "sendonly" });
  });
});

