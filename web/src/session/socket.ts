import type { ClientMessage, ServerMessage } from "../api/types";

type Kind = ServerMessage["type"];
type Of<K extends Kind> = Extract<ServerMessage, { type: K }>;
type Listener<K extends Kind> = (message: Of<K>) => void;

/** The line of one participant to one session: connecting, open, lost (will be tried again), over (will not). */
export type LineState = "connecting" | "open" | "lost" | "over";

/** Close codes after which trying again would be wrong: evicted by oneself elsewhere, another notary, not allowed. */
const FINAL = new Set([1000, 4401, 4403, 4404, 4408, 4409]);
const PING_MS = 5_000;
const SILENCE_MS = 16_000;

export interface SocketParts {
  open: (url: string) => WebSocket;
  origin: string;
  now: () => number;
  /** Index of the last receipt this page has; those anchored since are sent first. Below 0: none, send them all. */
  after: () => number;
}

const browser = (): SocketParts => ({
  open: (url) => new WebSocket(url),
  origin: location.origin.replace(/^http/, "ws"),
  now: () => Date.now(),
  after: () => -1,
});

/**
 * JSON messages over one WebSocket that comes back by itself (0.5 s, then doubling to 8 s).
 *
 * The server sends the whole state at every connect, and the receipts missed, so nothing needs replaying. A line that has been silent
 * for 16 s although pinged is taken for dead and replaced.
 */
export class SessionSocket {
  state: LineState = "connecting";
  /** Round trip of the last ping, ms. */
  rtt_ms: number | null = null;
  private socket: WebSocket | null = null;
  private readonly listeners = new Map<Kind, Set<(message: ServerMessage) => void>>();
  private readonly watchers = new Set<(state: LineState) => void>();
  private tries = 0;
  private retry: ReturnType<typeof setTimeout> | null = null;
  private beat: ReturnType<typeof setInterval> | null = null;
  private heard = 0;
  private asked = 0;
  private readonly parts: SocketParts;

  constructor(
    private readonly session: string,
    parts: Partial<SocketParts> = {},
  ) {
    this.parts = { ...browser(), ...parts };
  }

  on<K extends Kind>(kind: K, listener: Listener<K>): () => void {
    const set = this.listeners.get(kind) ?? new Set();
    this.listeners.set(kind, set);
    set.add(listener as (message: ServerMessage) => void);
    return () => set.delete(listener as (message: ServerMessage) => void);
  }

  onState(watcher: (state: LineState) => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  connect(): void {
    if (this.state === "over" || this.socket) return;
    this.become("connecting");
    const after = this.parts.after();
    const since = after < 0 ? "" : `?after=${after}`;
    const socket = this.parts.open(`${this.parts.origin}/api/sessions/${this.session}/socket${since}`);
    this.socket = socket;
    socket.onopen = () => {
      this.tries = 0;
      this.heard = this.parts.now();
      this.become("open");
      this.startBeat();
    };
    socket.onmessage = (event) => this.hear(String(event.data));
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.drop();
      if (FINAL.has(event.code)) this.become("over");
      else this.later();
    };
  }

  /** A new line in place of this one: what the server says comes in the language of the connection. */
  reopen(): void {
    if (this.state === "over") return;
    if (this.retry) clearTimeout(this.retry);
    const before = this.socket;
    this.drop();
    if (before) before.onmessage = null; // it is told that it was replaced, which is no eviction
    this.connect();
    before?.close(1000);
  }

  /** False when the line is down; the caller says again what still matters once it is open. */
  send(message: ClientMessage): boolean {
    if (this.socket?.readyState !== 1) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  close(): void {
    if (this.retry) clearTimeout(this.retry);
    const socket = this.socket;
    this.drop();
    this.become("over");
    socket?.close(1000);
  }

  private hear(text: string): void {
    this.heard = this.parts.now();
    let message: ServerMessage;
    try {
      message = JSON.parse(text) as ServerMessage;
    } catch {
      return; // a newer server may speak words this page does not know; the next state is whole again
    }
    if (message.type === "pong") this.rtt_ms = this.parts.now() - this.asked;
    for (const listener of this.listeners.get(message.type) ?? []) listener(message);
    if (message.type === "evicted") this.close();
  }

  private startBeat(): void {
    this.beat = setInterval(() => {
      if (this.parts.now() - this.heard > SILENCE_MS) {
        const dead = this.socket;
        this.drop();
        dead?.close();
        this.later();
      } else {
        this.asked = this.parts.now();
        this.send({ type: "ping", at: this.asked });
      }
    }, PING_MS);
  }

  private drop(): void {
    if (this.beat) clearInterval(this.beat);
    this.beat = null;
    this.socket = null;
  }

  private later(): void {
    this.become("lost");
    const wait = Math.min(8_000, 500 * 2 ** this.tries++);
    this.retry = setTimeout(() => this.connect(), wait);
  }

  private become(state: LineState): void {
    if (this.state === state) return;
    this.state = state;
    for (const watcher of this.watchers) watcher(state);
  }
}
