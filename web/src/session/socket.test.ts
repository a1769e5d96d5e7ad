import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SessionSocket } from "./socket";

/** The browser's end of a line, played by the test. */
class Line {
  static all: Line[] = [];
  readyState = 0;
  sent: string[] = [];
  closed: number | undefined;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  constructor(readonly url: string) {
    Line.all.push(this);
  }
  opens() {
    this.readyState = 1;
    this.onopen?.();
  }
  says(message: unknown) {
    this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }
  breaks(code = 1006) {
    this.readyState = 3;
    this.onclose?.({ code });
  }
  send(text: string) {
    this.sent.push(text);
  }
  close(code?: number) {
    this.closed = code ?? 1005;
  }
}
const newest = () => Line.all.at(-1)!;
const socket = () =>
  new SessionSocket("s1", { open: (url) => new Line(url) as unknown as WebSocket, origin: "ws://office", now: () => Date.now() });

beforeEach(() => {
  Line.all = [];
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

describe("SessionSocket", () => {
  it("hands each message to those who asked for its kind", () => {
    const line = socket();
    const heard: unknown[] = [];
    line.on("anchored", (message) => heard.push(message.index));
    line.connect();
    expect(newest().url).toBe("ws://office/api/sessions/s1/socket");
    newest().opens();
    newest().says({ type: "anchored", index: 7, leaf_hash: "ab", event: "e", kind: "segment", at: 1 });
    newest().says({ type: "pong", at: 1 });
    newest().says("not JSON");
    newest().says({ type: "of-tomorrow" });
    expect(heard).toEqual([7]);
  });

  it("names the last receipt it has when it comes back, so that the missed ones are sent", () => {
    let last = -1;
    const line = new SessionSocket("s1", { open: (url) => new Line(url) as unknown as WebSocket, origin: "ws://office", now: () => Date.now(), after: () => last });
    const heard: number[] = [];
    line.on("receipts", ({ entries }) => heard.push(...entries.map((each) => each.index)));
    line.connect();
    expect(newest().url).toBe("ws://office/api/sessions/s1/socket");
    newest().opens();
    last = 7;
    newest().breaks();
    vi.advanceTimersByTime(500);
    expect(newest().url).toBe("ws://office/api/sessions/s1/socket?after=7");
    newest().opens();
    newest().says({ type: "receipts", entries: [{ index: 8, leaf_hash: "ab", event: "e", kind: "segment", at: 1 }] });
    expect(heard).toEqual([8]);
  });

  it("takes a new line in the reader's new language, and is not evicted by itself", () => {
    const line = socket();
    const states: string[] = [];
    line.onState((state) => states.push(state));
    let evicted = 0;
    line.on("evicted", () => evicted++);
    line.connect();
    newest().opens();
    const before = newest();
    line.reopen();
    expect(Line.all).toHaveLength(2);
    expect(before.closed).toBe(1000);
    newest().opens();
    before.says({ type: "evicted" });
    before.breaks(4408);
    expect(evicted).toBe(0);
    expect(states).toEqual(["open", "connecting", "open"]);
    line.close();
    line.reopen();
    expect(Line.all).toHaveLength(2);
  });

  it("comes back by itself, waiting longer each time", () => {
    const line = socket();
    line.connect();
    newest().breaks();
    expect(line.state).toBe("lost");
    vi.advanceTimersByTime(500);
    expect(Line.all).toHaveLength(2);
    newest().breaks();
    vi.advanceTimersByTime(900);
    expect(Line.all).toHaveLength(2);
    vi.advanceTimersByTime(100);
    expect(Line.all).toHaveLength(3);
    newest().opens();
    expect(line.state).toBe("open");
  });

  it.each([4401, 4403, 4404, 4408, 4409])("stays away after %i", (code) => {
    const line = socket();
    line.connect();
    newest().opens();
    newest().breaks(code);
    vi.advanceTimersByTime(60_000);
    expect(line.state).toBe("over");
    expect(Line.all).toHaveLength(1);
  });

  it("says so when a message cannot go", () => {
    const line = socket();
    line.connect();
    expect(line.send({ type: "page", n: 1 })).toBe(false);
    newest().opens();
    expect(line.send({ type: "page", n: 1 })).toBe(true);
    expect(newest().sent).toEqual(['{"type":"page","n":1}']);
  });

  it("replaces a line that has gone silent, and keeps one that answers", () => {
    const line = socket();
    line.connect();
    newest().opens();
    for (let i = 0; i < 6; i++) {
      vi.advanceTimersByTime(5_000);
      newest().says({ type: "pong", at: 0 });
    }
    expect(Line.all).toHaveLength(1);
    vi.advanceTimersByTime(25_000);
    expect(Line.all.length).toBeGreaterThan(1);
    expect(Line.all[0]!.closed).toBeDefined();
  });

  it("measures the round trip by its own clock", () => {
    const line = socket();
    line.connect();
    newest().opens();
    vi.advanceTimersByTime(5_000);
    vi.advanceTimersByTime(40);
    newest().says({ type: "pong", at: 999_999_999 });
    expect(line.rtt_ms).toBe(40);
  });

  it("is over once evicted", () => {
    const line = socket();
    line.connect();
    newest().opens();
    newest().says({ type: "evicted" });
    vi.advanceTimersByTime(60_000);
    expect(line.state).toBe("over");
    expect(Line.all).toHaveLength(1);
  });
});
