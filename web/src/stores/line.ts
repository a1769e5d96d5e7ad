import { defineStore } from "pinia";
import { ref } from "vue";

const LOOK_MS = 3_000;

/** Whether the office answers at all. */
export const reachable = (): Promise<boolean> =>
  fetch("/healthz", { cache: "no-store" }).then(
    () => true,
    () => false,
  );

/**
 * Whether this device says it has a network, and whether the office was out of reach when a page was wanted of it.
 * The pages say so in a strip that stays until it is back.
 */
export const useLine = defineStore("line", () => {
  const online = ref(navigator.onLine);
  window.addEventListener("online", () => (online.value = true));
  window.addEventListener("offline", () => (online.value = false));
  const away = ref(false);
  let look: ReturnType<typeof setInterval> | undefined;

  function lost() {
    if (away.value) return;
    away.value = true;
    look = setInterval(async () => {
      if (!(await reachable())) return;
      clearInterval(look);
      away.value = false;
    }, LOOK_MS);
  }
  return { online, away, lost };
});
