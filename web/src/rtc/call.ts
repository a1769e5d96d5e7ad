import { DeviceError, LevelMeter, openDevices, surroundings } from "./devices";
import type { Kind, Surroundings, Trouble, Wish } from "./devices";
import { withAudioNack } from "./sdp";
import { StatsReader } from "./stats";
import type { CallStats } from "./stats";

/**
 * idle -> opening (devices) -> connecting -> connected <-> interrupted (comes back by itself) -> closed.
 * A device that cannot be had leads from opening back to idle, with a DeviceError thrown.
 */
export type CallState = "idle" | "opening" | "connecting" | "connected" | "interrupted" | "closed";

export interface CallEvents {
  state: CallState;
  /** Our own camera and microphone; the stream's tracks change with the devices. */
  local: MediaStream;
  /** Somebody's stream in a slot. The object of a slot is always the same one: set srcObject once. */
  slot: { slot: number; stream: MediaStream };
  /** Each two seconds while connected. */
  stats: CallStats;
  /** A device was lost in the middle of the call. */
  trouble: { kind: Kind; trouble: Trouble };
  muted: { kind: Kind; muted: boolean };
  /** The office's TURN server did not take us: "refused" (credentials) or "unavailable". Direct paths go on. */
  relay: RelayTrouble;
}

export type RelayTrouble = "refused" | "unavailable";

export interface CallParts {
  /** Signalling: gives the server our offer, resolves with its answer. */
  send: (offer: string) => Promise<string>;
  /** How many others can be shown; each is a pair of receive-only lines. */
  slots?: number;
  /** TURN for this browser, when the office has one; the server needs none. */
  iceServers?: () => Promise<RTCIceServer[]>;
  makePeer?: (configuration: RTCConfiguration) => RTCPeerConnection;
  makeStream?: () => MediaStream;
  around?: Surroundings;
  now?: () => number;
}

/**
 * What gives way first on a slow line or computer: "detail" drops frames and keeps every line of the picture, so that
 * a card stays legible; "both" trades some of each, so that a conversation keeps moving.
 */
export type Favour = "detail" | "both";
const GIVES_WAY = { detail: "maintain-resolution", both: "balanced" } as const;

/** How long "disconnected" may heal by itself; aiortc knows no ICE restart, so afterwards all is made anew. */
const HEAL_MS = 3_000;
const CONNECT_MS = 15_000;
const STATS_MS = 2_000;
const WAITS_MS = [500, 1_000, 2_000, 4_000, 8_000];

/**
 * The browser's side of a session: one connection, one audio and one video line out, slots in.
 *
 *     const call = new Call({ send });
 *     call.on("slot", ({ stream }) => (video.srcObject = stream));
 *     await call.start();      // throws DeviceError
 *     call.close();
 *
 * A broken connection is replaced by a new one with the same tracks; the server goes on with a new take.
 */
export class Call {
  state: CallState = "idle";
  /** Our own stream; null before start(). */
  local: MediaStream | null = null;
  private peer: RTCPeerConnection | null = null;
  private readonly remote: MediaStream[] = [];
  private readonly listeners = new Map<keyof CallEvents, Set<(event: never) => void>>();
  private readonly mutes: Record<Kind, boolean> = { audio: false, video: false };
  private readonly senders: Partial<Record<Kind, RTCRtpSender>> = {};
  private heal: ReturnType<typeof setTimeout> | null = null;
  private retry: ReturnType<typeof setTimeout> | null = null;
  private poll: ReturnType<typeof setInterval> | null = null;
  private tries = 0;
  private attempt = 0;
  private wish: Wish = {};
  private favoured: Favour = "both";
  private reader = new StatsReader();
  private meter: LevelMeter | null = null;
  private readonly parts: Required<CallParts>;
  private readonly online = () => {
    if (this.state === "interrupted") this.reconnect();
  };

  constructor(parts: CallParts) {
    this.parts = {
      slots: 1,
      iceServers: () => Promise.resolve([]),
      makePeer: (configuration) => new RTCPeerConnection(configuration),
      makeStream: () => new MediaStream(),
      around: surroundings(),
      now: () => performance.now(),
      ...parts,
    };
  }

  on<E extends keyof CallEvents>(event: E, listener: (value: CallEvents[E]) => void): () => void {
    const set = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, set);
    set.add(listener as (event: never) => void);
    return () => set.delete(listener as (event: never) => void);
  }

  /**
   * Opens the devices (or takes a stream that is already open, of a device check) and connects.
   * Throws DeviceError; a server out of reach is no failure, it is tried again.
   */
  async start(given: Wish | MediaStream = {}): Promise<void> {
    if (this.state !== "idle") return;
    this.become("opening");
    try {
      if ("getTracks" in given) this.local = given;
      else {
        this.wish = given;
        this.local = await openDevices(given, { around: this.parts.around });
      }
    } catch (error) {
      this.become("idle");
      throw error;
    }
    if ((this.state as CallState) === "closed") return this.stopTracks();
    for (const track of this.local.getTracks()) this.watch(track);
    this.tell("local", this.local);
    globalThis.addEventListener?.("online", this.online);
    this.become("connecting");
    await this.connect();
  }

  /** Replaces the connection by a new one now. */
  reconnect(): void {
    if (this.state === "closed" || this.state === "idle" || this.state === "opening") return;
    this.clear();
    this.become("interrupted");
    void this.connect();
  }

  /** Stops or resumes sending sound or picture; the line stays. */
  mute(kind: Kind, muted: boolean): void {
    this.mutes[kind] = muted;
    for (const track of this.tracks(kind)) track.enabled = !muted;
    this.tell("muted", { kind, muted });
  }

  isMuted(kind: Kind): boolean {
    return this.mutes[kind];
  }

  /** Goes over to another camera or microphone without a new connection. Throws DeviceError; the old one stays then. */
  async use(kind: Kind, deviceId: string): Promise<void> {
    const wish = kind === "video" ? { ...this.wish, camera: deviceId } : { ...this.wish, microphone: deviceId };
    const fresh = await openDevices(wish, { kinds: [kind], around: this.parts.around });
    const track = fresh.getTracks()[0];
    if (!track || !this.local || this.state === "closed") {
      fresh.getTracks().forEach((each) => each.stop());
      return;
    }
    this.wish = wish;
    track.enabled = !this.mutes[kind];
    await this.senders[kind]?.replaceTrack(track);
    for (const old of this.tracks(kind)) {
      old.onended = null;
      this.local.removeTrack(old);
      old.stop();
    }
    this.local.addTrack(track);
    this.watch(track);
    if (kind === "audio") this.dropMeter();
    this.tell("local", this.local);
  }

  /** How loud our microphone is, 0..1. */
  level(): number {
    if (!this.local || this.tracks("audio").length === 0) return 0;
    this.meter ??= new LevelMeter(this.local);
    return this.mutes.audio ? 0 : this.meter.read();
  }

  /** The connection's numbers now; null without a connection. */
  async stats(): Promise<CallStats | null> {
    if (!this.peer) return null;
    const report = await this.peer.getStats();
    return this.reader.read(report as unknown as Map<string, unknown>, this.parts.now());
  }

  /** Hangs up and gives the devices back. */
  close(): void {
    if (this.state === "closed") return;
    globalThis.removeEventListener?.("online", this.online);
    this.clear();
    this.dropMeter();
    this.stopTracks();
    this.become("closed");
  }

  favour(what: Favour): void {
    if (what === this.favoured) return;
    this.favoured = what;
    void this.yieldAs(what);
  }

  /** A browser that does not know the wish goes its own way. */
  private async yieldAs(what: Favour): Promise<void> {
    const sender = this.senders.video;
    if (!sender) return;
    const parameters = sender.getParameters() as RTCRtpSendParameters & { degradationPreference?: string };
    parameters.degradationPreference = GIVES_WAY[what];
    await sender.setParameters(parameters).catch(() => undefined);
  }

  private async connect(): Promise<void> {
    const local = this.local;
    if (!local || this.state === "closed") return;
    const attempt = ++this.attempt;
    // Credentials hold for a time only, so each connection has its own; without any it may still go straight.
    const iceServers = await this.parts.iceServers().catch(() => []);
    if (attempt !== this.attempt) return;
    const peer = this.parts.makePeer({ iceServers, bundlePolicy: "max-bundle" });
    this.peer = peer;
    peer.onicecandidateerror = (event) => {
      // RFC 8489 14.8: 401 and 403 are about who we are, 701 is the browser's "no answer".
      const { errorCode } = event;
      if (this.peer === peer) this.tell("relay", errorCode === 401 || errorCode === 403 ? "refused" : "unavailable");
    };
    this.reader = new StatsReader();
    for (const kind of ["audio", "video"] as const) {
      const track = this.tracks(kind)[0];
      this.senders[kind] = peer.addTransceiver(track ?? kind, { direction: "sendonly", streams: [local] }).sender;
    }
    for (let slot = 0; slot < this.parts.slots; slot++) {
      peer.addTransceiver("audio", { direction: "recvonly" });
      peer.addTransceiver("video", { direction: "recvonly" });
    }
    peer.ontrack = (event) => this.show(peer, event);
    peer.onconnectionstatechange = () => this.changed(peer);
    this.heal = setTimeout(() => this.failed(peer), CONNECT_MS);
    try {
      // The server learns our addresses from our own checks, so nothing waits for gathering.
      const answer = await this.parts.send(await offerOf(peer));
      if (this.peer !== peer) return;
      await peer.setRemoteDescription({ type: "answer", sdp: answer });
      await this.yieldAs(this.favoured);
    } catch {
      this.failed(peer);
    }
  }

  private changed(peer: RTCPeerConnection): void {
    if (this.peer !== peer) return;
    switch (peer.connectionState) {
      case "connected":
        this.quieten();
        this.tries = 0;
        this.poll ??= setInterval(() => void this.report(), STATS_MS);
        this.become("connected");
        break;
      case "disconnected":
        this.quieten();
        this.become("interrupted");
        this.heal = setTimeout(() => this.failed(peer), HEAL_MS);
        break;
      case "failed":
      case "closed":
        this.failed(peer);
        break;
    }
  }

  private failed(peer: RTCPeerConnection): void {
    if (this.peer !== peer || this.state === "closed") return;
    this.clear();
    this.become("interrupted");
    const wait = WAITS_MS[Math.min(this.tries++, WAITS_MS.length - 1)];
    this.retry = setTimeout(() => void this.connect(), wait);
  }

  private show(peer: RTCPeerConnection, event: RTCTrackEvent): void {
    const found = /^slot(\d+)$/.exec(event.streams[0]?.id ?? "");
    if (!found || this.peer !== peer) return;
    const slot = Number(found[1]);
    const stream = (this.remote[slot] ??= this.parts.makeStream());
    for (const old of stream.getTracks()) if (old.kind === event.track.kind) stream.removeTrack(old);
    stream.addTrack(event.track);
    this.tell("slot", { slot, stream });
  }

  private async report(): Promise<void> {
    const stats = await this.stats();
    if (stats && this.state === "connected") this.tell("stats", stats);
  }

  private watch(track: MediaStreamTrack): void {
    const kind = track.kind as Kind;
    track.enabled = !this.mutes[kind];
    track.onended = () => {
      if (this.state !== "closed") this.tell("trouble", { kind, trouble: "lost" });
    };
  }

  private tracks(kind: Kind): MediaStreamTrack[] {
    return this.local?.getTracks().filter((track) => track.kind === kind) ?? [];
  }

  private quieten(): void {
    if (this.heal) clearTimeout(this.heal);
    if (this.retry) clearTimeout(this.retry);
    this.heal = this.retry = null;
  }

  private clear(): void {
    this.quieten();
    this.attempt++;
    if (this.poll) clearInterval(this.poll);
    this.poll = null;
    const peer = this.peer;
    this.peer = null;
    peer?.close();
  }

  private dropMeter(): void {
    this.meter?.close();
    this.meter = null;
  }

  private stopTracks(): void {
    for (const track of this.local?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
  }

  private become(state: CallState): void {
    if (this.state === state) return;
    this.state = state;
    this.tell("state", state);
  }

  private tell<E extends keyof CallEvents>(event: E, value: CallEvents[E]): void {
    for (const listener of this.listeners.get(event) ?? []) (listener as (value: CallEvents[E]) => void)(value);
  }
}

/** Makes the offer and sets it; a browser that takes no changed offer sends its own. */
async function offerOf(peer: RTCPeerConnection): Promise<string> {
  const offer = await peer.createOffer();
  try {
    await peer.setLocalDescription({ type: "offer", sdp: withAudioNack(offer.sdp ?? "") });
  } catch {
    await peer.setLocalDescription(offer);
  }
  return peer.localDescription?.sdp ?? offer.sdp ?? "";
}

export { DeviceError };
export type { CallStats, Kind, Trouble, Wish };
