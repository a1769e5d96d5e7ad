import { describe, expect, it } from "vitest";
import { listDevices, loudness, measureNetwork, networkWord, openDevices, spared } from "./devices";
import type { Surroundings } from "./devices";
import { FakeStream, FakeTrack, fakeDevices } from "./fakes";

const CAMERA = { kind: "videoinput", deviceId: "c", label: "Camera" };
const MICROPHONE = { kind: "audioinput", deviceId: "m", label: "Microphone" };

function around(error: string, list = [CAMERA, MICROPHONE], message = ""): Surroundings {
  return { mediaDevices: fakeDevices(() => new DOMException(message, error), list), secure: true, userAgent: "" };
}

describe("opening devices", () => {
  it.each([
    ["NotAllowedError", "Permission denied", [CAMERA], "refused"],
    ["NotAllowedError", "Permission denied by system", [CAMERA], "refused-by-system"],
    ["NotFoundError", "", [], "no-devices"],
    ["NotFoundError", "", [MICROPHONE], "no-camera"],
    ["NotFoundError", "", [CAMERA], "no-microphone"],
    ["NotReadableError", "", [CAMERA], "busy"],
    ["AbortError", "", [CAMERA], "busy"],
    ["SecurityError", "", [CAMERA], "insecure"],
    ["SomethingNew", "", [CAMERA], "unsupported"],
  ])("%s %s with %j is %s", async (name, message, list, trouble) => {
    await expect(openDevices({}, { around: around(name, list, message) })).rejects.toMatchObject({
      name: "DeviceError",
      trouble,
    });
  });

  it.each([
    ["Mozilla/5.0 MicroMessenger/8.0", true, "webview"],
    ["Mozilla/5.0 (Linux; Android 14; wv)", true, "webview"],
    ["Mozilla/5.0 Chrome/140", false, "insecure"],
    ["Mozilla/5.0 Chrome/140", true, "unsupported"],
  ])("%s without devices (secure: %s) is %s", async (userAgent, secure, trouble) => {
    const bare = { mediaDevices: undefined, secure, userAgent };
    await expect(openDevices({}, { around: bare })).rejects.toMatchObject({ trouble });
  });

  it.each([
    [["video"], "no-camera"],
    [["audio"], "no-microphone"],
  ] as const)("of %j alone only that can be missing", async (kinds, trouble) => {
    await expect(openDevices({}, { kinds, around: around("NotFoundError", [CAMERA, MICROPHONE]) })).rejects.toMatchObject({ trouble });
  });

  it("without a list nothing is said of either", async () => {
    const devices = fakeDevices(() => new DOMException("", "NotFoundError"));
    devices.enumerateDevices = () => Promise.reject(new DOMException("", "NotAllowedError"));
    await expect(openDevices({}, { around: { mediaDevices: devices, secure: true, userAgent: "" } })).rejects.toMatchObject({ trouble: "no-devices" });
  });

  it("of a missing microphone the camera is not blamed, nor the other way round", () => {
    expect((["no-microphone", "no-camera", "no-devices", "refused", null] as const).map(spared)).toEqual(["video", "audio", null, null, null]);
  });

  it("goes back to any device when the remembered one is gone", async () => {
    const asked: MediaStreamConstraints[] = [];
    const devices = fakeDevices((wanted) => {
      asked.push(wanted);
      return JSON.stringify(wanted).includes("exact")
        ? new DOMException("", "OverconstrainedError")
        : new FakeStream([new FakeTrack("video")]);
    });
    const stream = await openDevices({ camera: "gone" }, { around: { mediaDevices: devices, secure: true, userAgent: "" } });
    expect(stream.getTracks()).toHaveLength(1);
    expect(asked).toHaveLength(2);
    expect(asked[0]?.video).toMatchObject({ deviceId: { exact: "gone" } });
  });

  it("lists what there is by kind", async () => {
    const devices = fakeDevices(() => new FakeStream(), [CAMERA, MICROPHONE]);
    expect(await listDevices({ mediaDevices: devices, secure: true, userAgent: "" })).toEqual({
      cameras: [{ id: "c", label: "Camera" }],
      microphones: [{ id: "m", label: "Microphone" }],
      speakers: [],
    });
  });
});

describe("loudness", () => {
  it("is 0 for silence, 1 for full scale, and half for -30 dB", () => {
    expect(loudness(new Float32Array(64))).toBe(0);
    expect(loudness(new Float32Array(64).fill(1))).toBe(1);
    expect(loudness(new Float32Array(64).fill(10 ** (-30 / 20)))).toBeCloseTo(0.5, 5);
  });
});

describe("the network in words", () => {
  it.each([
    [null, 0, "unknown"],
    [40, 0, "good"],
    [300, 0, "fair"],
    [40, 0.05, "fair"],
    [900, 0, "poor"],
    [40, 0.3, "poor"],
  ] as const)("%s ms and %s lost is %s", (rtt_ms, loss, word) => {
    expect(networkWord({ rtt_ms, loss })).toBe(word);
  });

  it("takes the median of the trips and counts the failed ones", async () => {
    const trips = [30, 900, 40, 50, -1];
    let clock = 0;
    const probe = () => {
      const trip = trips.shift() ?? 0;
      if (trip < 0) return Promise.reject(new Error("offline"));
      clock += trip;
      return Promise.resolve();
    };
    expect(await measureNetwork(probe, { now: () => clock })).toEqual({ rtt_ms: 50, loss: expect.closeTo(0.2) as number, word: "poor" });
    expect(await measureNetwork(() => Promise.reject(new Error()), { now: () => 0 })).toMatchObject({
      rtt_ms: null,
      loss: 1,
      word: "unknown",
    });
  });
});
