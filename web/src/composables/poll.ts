import { onScopeDispose } from "vue";

/** Calls `look` every `every_ms` while the page is in view, and at once when it comes back into view. */
export function usePoll(look: () => Promise<unknown>, every_ms: number) {
  let busy = false;
  async function once() {
    if (busy || document.hidden) return;
    busy = true;
    await look().catch(() => undefined); // the next look says it again
    busy = false;
  }
  const timer = setInterval(() => void once(), every_ms);
  const seen = () => void once();
  document.addEventListener("visibilitychange", seen);
  onScopeDispose(() => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", seen);
  });
  return { once };
}
