/** Stand-ins for what Node has not: tracks, streams and a peer connection that does as it is told. */

export class FakeTrack {
  enabled = true;
  stopped = false;
  onended: (() => void) | null = null;
  constructor(
    readonly kind: "audio" | "video",
    readonly label = "",
  ) {}
  stop(): void {
    this.stopped = true;
  }
}

export class FakeStream {
  private readonly tracks: FakeTrack[];
  constructor(
    tracks: FakeTrack[] = [],
    readonly id = "stream",
  ) {
    this.tracks = [...tracks];
  }
  getTracks(): FakeTrack[] {
    return [...this.tracks];
  }
  addTrack(track: FakeTrack): void {
    this.tracks.push(track);
  }
  removeTrack(track: FakeTrack): void {
    this.tracks.splice(this.tracks.indexOf(track), 1);
  }
}

export class FakeSender {
  constructor(public track: FakeTrack | null) {}
  parameters: object = {};
  getParameters(): object {
    return { ...this.parameters };
  }
  setParameters(parameters: object): Promise<void> {
    this.parameters = parameters;
    return Promise.resolve();
  }
  replaceTrack(track: FakeTrack): Promise<void> {
    this.track = track;
    return Promise.resolve();
  }
}

export const OFFER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n";

export class FakePeer {
  connectionState = "new";
  closed = false;
  localDescription: { type: string; sdp: string } | null = null;
  remoteDescription: { type: string; sdp: string } | null = null;
  onconnectionstatechange: (() => void) | null = null;
  ontrack: ((event: unknown) => void) | null = null;
  onicecandidateerror: ((event: { errorCode: number }) => void) | null = null;
  readonly lines: { kind: string; direction: string; sender: FakeSender }[] = [];
  report: [string, unknown][] = [];
  constructor(readonly configuration: RTCConfiguration) {}

  addTransceiver(what: FakeTrack | string, init: { direction: string }): { sender: FakeSender } {
    const track = typeof what === "string" ? null : what;
    const line = { kind: track?.kind ?? String(what), direction: init.direction, sender: new FakeSender(track) };
    this.lines.push(line);
    return line;
  }
  createOffer(): Promise<{ type: string; sdp: string }> {
    return Promise.resolve({ type: "offer", sdp: OFFER });
  }
  setLocalDescription(description: { type: string; sdp: string }): Promise<void> {
    this.localDescription = description;
    return Promise.resolve();
  }
  setRemoteDescription(description: { type: string; sdp: string }): Promise<void> {
    this.remoteDescription = description;
    return Promise.resolve();
  }
  getStats(): Promise<Map<string, unknown>> {
    return Promise.resolve(new Map(this.report));
  }
  become(state: string): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
  receive(kind: "audio" | "video", stream: string): FakeTrack {
    const track = new FakeTrack(kind);
    this.ontrack?.({ track, streams: [{ id: stream }] });
    return track;
  }
  close(): void {
    this.closed = true;
  }
}

/** A browser's devices: what it has, and how it answers. */
export function fakeDevices(
  answer: (wanted: MediaStreamConstraints) => FakeStream | Error,
  list: { kind: string; deviceId: string; label: string }[] = [],
): MediaDevices {
  return {
    getUserMedia: (wanted: MediaStreamConstraints) => {
      const given = answer(wanted);
      return given instanceof FakeStream ? Promise.resolve(given) : Promise.reject(given);
    },
    enumerateDevices: () => Promise.resolve(list),
  } as unknown as MediaDevices;
}
