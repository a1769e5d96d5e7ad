import { defineStore } from "pinia";
import { ref } from "vue";

/** Whether this device says it has a network. The pages say so in a strip that stays until it is back. */
export const useLine = defineStore("line", () => {
  const online = ref(navigator.onLine);
  window.addEventListener("online", () => (online.value = true));
  window.addEventListener("offline", () => (online.value = false));
  return { online };
});
