/** Camera, microphone, speaker and network before a call: opened with typed failures, measured in words. */

export type Trouble =
  | "refused" // the person or the browser said no
  | "refused-by-system" // the operating system keeps the browser from the device
  | "no-camera"
  | "no-microphone"
  | "no-devices" // neither
  | "busy" // another program holds it
  | "insecure" // not HTTPS, not localhost: the browser gives no devices at all
  | "webview" // an app's built-in browser without camera: open in a real one
  | "unsupported"
  | "lost"; // was there, is gone (unplugged, taken over)

export type Kind = "audio" | "video";

/** Why a device could not be had. `trouble` is the key of the sentence and the advice. */
export class DeviceError extends Error {
  constructor(
    readonly trouble: Trouble,
    readonly cause_name: string = "",
  ) {
    super(`device: ${trouble}`);
    this.name = "DeviceError";
  }
}

export interface Wish {
  camera?: string; // deviceId
  microphone?: string;
}

/** What of the browser is used; tests hand in their own. */
export interface Surroundings {
  mediaDevices: MediaDevices | undefined;
  secure: boolean;
  userAgent: string;
}

export const surroundings = (): Surroundings => ({
  mediaDevices: navigator.mediaDevices as MediaDevices | undefined,
  secure: globalThis.isSecureContext,
  userAgent: navigator.userAgent,
});

/** WeChat, Alipay, Weibo, QQ and Android's bare WebView. */
const WEBVIEW = /MicroMessenger|AlipayClient|Weibo|QQ\/|; wv\)|DingTalk/i;

const VIDEO: MediaTrackConstraints = {
  width: { ideal: 1280 },
  height: { ideal: 720 },
  frameRate: { ideal: 30, max: 30 },
  facingMode: "user",
};
const AUDIO: MediaTrackConstraints = {
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
};

/** Opens camera and microphone (or one of them). Throws DeviceError only. */
export async function openDevices(
  wish: Wish = {},
  { kinds = ["audio", "video"], around = surroundings() }: { kinds?: readonly Kind[]; around?: Surroundings } = {},
): Promise<MediaStream> {
  const devices = around.mediaDevices;
  if (!devices?.getUserMedia) throw new DeviceError(absence(around));
  const exact = (id: string | undefined) => (id ? { deviceId: { exact: id } } : {});
  const wanted: MediaStreamConstraints = {
    audio: kinds.includes("audio") && { ...AUDIO, ...exact(wish.microphone) },
    video: kinds.includes("video") && { ...VIDEO, ...exact(wish.camera) },
  };
  try {
    return await devices.getUserMedia(wanted);
  } catch (error) {
    if (nameOf(error) !== "OverconstrainedError") throw await reason(error, devices, kinds);
  }
  // The remembered device is gone: any will do.
  try {
    return await devices.getUserMedia({ audio: wanted.audio && AUDIO, video: wanted.video && VIDEO });
  } catch (error) {
    throw await reason(error, devices, kinds);
  }
}

function absence(around: Surroundings): Trouble {
  if (WEBVIEW.test(around.userAgent)) return "webview";
  return around.secure ? "unsupported" : "insecure";
}

function nameOf(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.name : "";
}

async function reason(error: unknown, devices: MediaDevices, kinds: readonly Kind[]): Promise<DeviceError> {
  const name = nameOf(error);
  switch (name) {
    case "NotAllowedError":
    case "PermissionDeniedError":
      return new DeviceError(/system/i.test(String(error)) ? "refused-by-system" : "refused", name);
    case "NotFoundError":
    case "DevicesNotFoundError":
    case "OverconstrainedError":
      return new DeviceError(await missing(devices, kinds), name);
    case "NotReadableError":
    case "TrackStartError":
    case "AbortError":
      return new DeviceError("busy", name);
    case "SecurityError":
    case "TypeError":
      return new DeviceError("insecure", name);
    default:
      return new DeviceError("unsupported", name);
  }
}

/** What of what was asked for is not there, by the browser's list; without a list nothing is known of either. */
async function missing(devices: MediaDevices, kinds: readonly Kind[]): Promise<Trouble> {
  if (kinds.length === 1) return kinds[0] === "audio" ? "no-microphone" : "no-camera";
  const found = await devices.enumerateDevices().catch(() => []);
  const camera = found.some((device) => device.kind === "videoinput");
  const microphone = found.some((device) => device.kind === "audioinput");
  if (camera === microphone) return "no-devices"; // neither, or a list that contradicts what the browser has just said
  return camera ? "no-microphone" : "no-camera";
}

/** Which of the two is not the trouble, because only the other one is missing. */
export const spared = (trouble: Trouble | null): Kind | null => (trouble === "no-microphone" ? "video" : trouble === "no-camera" ? "audio" : null);

export interface Choice {
  id: string;
  label: string;
}

/** The devices to choose from; labels are empty until one was opened. */
export async function listDevices(
  around: Surroundings = surroundings(),
): Promise<{ cameras: Choice[]; microphones: Choice[]; speakers: Choice[] }> {
  const all = (await around.mediaDevices?.enumerateDevices()) ?? [];
  const of = (kind: MediaDeviceKind): Choice[] =>
    all.filter((device) => device.kind === kind).map((device) => ({ id: device.deviceId, label: device.label }));
  return { cameras: of("videoinput"), microphones: of("audioinput"), speakers: of("audiooutput") };
}

/** How loud a microphone is, 0..1, as the eye expects it (-60 dB is 0, full scale is 1). */
export class LevelMeter {
  private readonly source: MediaStreamAudioSourceNode;
  private readonly analyser: AnalyserNode;
  private readonly samples: Float32Array<ArrayBuffer>;

  constructor(
    stream: MediaStream,
    private readonly context: AudioContext = new AudioContext(),
  ) {
    this.analyser = context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.samples = new Float32Array(this.analyser.fftSize);
    this.source = context.createMediaStreamSource(stream);
    this.source.connect(this.analyser);
    void context.resume();
  }

  read(): number {
    this.analyser.getFloatTimeDomainData(this.samples);
    return loudness(this.samples);
  }

  close(): void {
    this.source.disconnect();
    void this.context.close();
  }
}

/** Root mean square on a scale of decibels, -60 dB to 0 dB as 0 to 1. */
export function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  if (rms <= 0.001) return 0;
  return Math.min(1, 1 + (20 * Math.log10(rms)) / 60);
}

/** Three soft notes; resolves when they have been played. */
export async function chime(context: AudioContext = new AudioContext()): Promise<void> {
  await context.resume();
  const begin = context.currentTime + 0.05;
  const last = [523.25, 659.25, 783.99].map((pitch, i) => {
    const note = context.createOscillator();
    const volume = context.createGain();
    const at = begin + i * 0.22;
    note.frequency.value = pitch;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.25, at + 0.03);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.6);
    note.connect(volume).connect(context.destination);
    note.start(at);
    note.stop(at + 0.65);
    return note;
  });
  await new Promise<void>((resolve) => {
    const note = last[last.length - 1];
    if (note) note.onended = () => resolve();
    else resolve();
  });
  await context.close();
}

export type NetworkWord = "good" | "fair" | "poor" | "unknown";

/** A line in words: 720p wants a round trip under 200 ms and hardly any loss. */
export function networkWord(line: { rtt_ms: number | null; loss: number }): NetworkWord {
  if (line.rtt_ms === null) return "unknown";
  if (line.rtt_ms <= 200 && line.loss < 0.02) return "good";
  if (line.rtt_ms <= 450 && line.loss < 0.08) return "fair";
  return "poor";
}

/**
 * The line to the server before there is a call: the median of some small requests.
 * A request that fails or takes over 5 s counts as lost.
 */
export async function measureNetwork(
  probe: () => Promise<unknown>,
  { times = 5, now = () => performance.now() }: { times?: number; now?: () => number } = {},
): Promise<{ rtt_ms: number | null; loss: number; word: NetworkWord }> {
  const trips: number[] = [];
  for (let i = 0; i < times; i++) {
    const since = now();
    try {
      await probe();
      if (now() - since <= 5_000) trips.push(now() - since);
    } catch {
      // counted below
    }
  }
  trips.sort((a, b) => a - b);
  const rtt_ms = trips.length ? Math.round(trips[Math.floor(trips.length / 2)] ?? 0) : null;
  const loss = 1 - trips.length / times;
  return { rtt_ms, loss, word: networkWord({ rtt_ms, loss }) };
}
