import { defineStore } from "pinia";
import { shallowRef } from "vue";

/**
 * The camera and microphone opened by the device check, handed on to the waiting room and the call, so that the
 * person is asked once. Whoever leaves that path gives them back.
 */
export const useDevices = defineStore("devices", () => {
  const stream = shallowRef<MediaStream | null>(null);

  function keep(opened: MediaStream) {
    if (stream.value !== opened) closeStream(stream.value);
    stream.value = opened;
  }
  /** Hands the stream over; the taker closes it. Null when a track has ended meanwhile. */
  function take(): MediaStream | null {
    const held = stream.value;
    stream.value = null;
    if (held?.getTracks().every((track) => track.readyState === "live")) return held;
    closeStream(held);
    return null;
  }
  function release() {
    closeStream(stream.value);
    stream.value = null;
  }
  return { stream, keep, take, release };
});

export function closeStream(stream: MediaStream | null | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
