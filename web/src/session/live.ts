import { computed, onScopeDispose, ref, shallowRef, watch } from "vue";
import { useI18n } from "vue-i18n";
import { api } from "../api/client";
import { Problem } from "../api/problem";
import type { Anchored, SessionView } from "../api/types";
import { Call, DeviceError, type CallState, type RelayTrouble, type Trouble } from "../rtc/call";
import { shelf } from "./receipts";
import { SessionSocket, type LineState } from "./socket";

const ANSWER_MS = 12_000;

/**
 * One party's live session: the socket with its snapshots, the call, and the receipts shown meanwhile.
 *
 * Everything shown comes from the server's last snapshot, so a page that was closed in any step comes back to the same
 * place. `begin` opens the devices and may be called again after a DeviceError.
 */
export function useLive(session: string) {
  const view = shallowRef<SessionView | null>(null);
  const line = ref<LineState>("connecting");
  const newest = shallowRef<Pick<Anchored, "index" | "leaf_hash"> | null>(null);
  const evicted = ref(false);
  const problem = shallowRef<Problem | null>(null);
  const other = shallowRef<MediaStream | null>(null);
  const own = shallowRef<MediaStream | null>(null);
  const callState = ref<CallState>("idle");
  const trouble = ref<Trouble | null>(null);
  const relay = ref<RelayTrouble | null>(null);
  const muted = ref(false);

  // Receipts come in the ledger's order, the missed ones first: what this page has is whole up to here.
  let kept = -1;
  const socket = new SessionSocket(session, { after: () => kept });
  const answers = new Map<string, { resolve: (sdp: string) => void; reject: (reason: unknown) => void }>();
  let call: Call | null = null;

  socket.onState((state) => {
    line.value = state;
    if (state === "open" && muted.value) socket.send({ type: "mute", muted: true });
  });
  socket.on("state", ({ session: fresh }) => take(fresh));
  socket.on("anchored", (receipt) => keep(receipt));
  socket.on("receipts", ({ entries }) => entries.forEach(keep));
  socket.on("answer", ({ id, sdp }) => {
    answers.get(id)?.resolve(sdp);
    answers.delete(id);
  });
  socket.on("evicted", () => {
    evicted.value = true;
    call?.close();
  });
  // The server lost the call's media and is ready for a new one: no need to wait until the browser notices.
  socket.on("redial", () => call?.reconnect());
  socket.on("problem", ({ problem: body }) => {
    problem.value = new Problem(body);
    for (const waiting of answers.values()) waiting.reject(problem.value);
    answers.clear();
  });

  function take(fresh: SessionView) {
    view.value = fresh;
    if (fresh.anchored && fresh.anchored.index >= (newest.value?.index ?? -1)) newest.value = fresh.anchored;
    favour();
    if (["CLOSED", "SEALED", "ABORTED"].includes(fresh.state)) call?.close();
  }

  /** A card that is held up must stay legible; the rest is a conversation. */
  function favour() {
    const now = view.value?.steps.find((step) => step.number === view.value?.step);
    call?.favour(now?.key === "identity" ? "detail" : "both");
  }

  function keep(receipt: Anchored) {
    if (receipt.index >= (newest.value?.index ?? -1)) newest.value = receipt;
    kept = Math.max(kept, receipt.index);
    const { index, leaf_hash, kind, at } = receipt;
    void shelf.keepReceipt(session, { index, leaf_hash, kind, at });
  }

  /** Our offer to the server over the socket, its answer back; rejected when none comes, and the call tries again. */
  function exchange(sdp: string): Promise<string> {
    const id = crypto.randomUUID();
    return new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => settle(() => reject(Problem.local("too-slow"))), ANSWER_MS);
      const settle = (act: () => void) => {
        clearTimeout(timer);
        answers.delete(id);
        act();
      };
      answers.set(id, { resolve: (answer) => settle(() => resolve(answer)), reject: (why) => settle(() => reject(why)) });
      if (!socket.send({ type: "offer", id, sdp })) settle(() => reject(Problem.local("unreachable")));
    });
  }

  async function relays(): Promise<RTCIceServer[]> {
    return (await api.get<{ ice_servers: RTCIceServer[] }>(`/api/sessions/${session}/relays`)).ice_servers;
  }

  async function begin(held: MediaStream | null): Promise<void> {
    trouble.value = null;
    if (!call) {
      call = new Call({ send: exchange, iceServers: relays });
      call.on("state", (state) => {
        callState.value = state;
        if (state === "connected") relay.value = null;
      });
      call.on("relay", (why) => (relay.value = why));
      call.on("local", (stream) => (own.value = stream));
      call.on("slot", ({ stream }) => (other.value = stream));
      call.on("trouble", (lost) => (trouble.value = lost.trouble));
      call.on("stats", (stats) =>
        socket.send({
          type: "quality",
          rtt_ms: stats.rtt_ms ?? socket.rtt_ms ?? 0,
          loss: stats.loss,
          width: stats.sent.width,
          height: stats.sent.height,
          fps: stats.sent.fps,
        }),
      );
    }
    favour();
    try {
      await call.start(held ?? {});
    } catch (error) {
      trouble.value = error instanceof DeviceError ? error.trouble : "unsupported";
      call.close();
      call = null;
    }
  }

  function mute(now: boolean) {
    muted.value = now;
    call?.mute("audio", now);
    socket.send({ type: "mute", muted: now });
  }

  /** Posts an act of this party; the answer is the new snapshot. Throws Problem. */
  async function act(path: string, body: unknown = {}): Promise<SessionView> {
    const fresh = await api.post<SessionView>(`/api/sessions/${session}/${path}`, body);
    take(fresh);
    return fresh;
  }

  function stop() {
    call?.close();
    socket.close();
    for (const waiting of answers.values()) waiting.reject(Problem.local("cancelled"));
    answers.clear();
  }

  const done = (key: string) =>
    view.value?.steps.some((step) => step.evidence.some((each) => each.key === key && each.done)) ?? false;
  const over = computed(() => ["CLOSED", "SEALED", "ABORTED"].includes(view.value?.state ?? ""));

  socket.connect();
  watch(over, (now) => now && call?.close());
  watch(useI18n().locale, () => socket.reopen());
  onScopeDispose(stop);

  return { view, line, newest, evicted, problem, other, own, callState, trouble, relay, muted, over, socket, begin, mute, act, take, done, stop };
}

export type Live = ReturnType<typeof useLive>;
