import { defineStore } from "pinia";
import { ref } from "vue";
import type { Language } from "../api/types";

/** How this person reads: large text (大字), kept on the device. The language itself lives in the locales. */
export const usePreferences = defineStore("preferences", () => {
  const large = ref(localStorage.getItem("farseal-text") === "large");

  function show() {
    document.documentElement.dataset.text = large.value ? "large" : "normal";
  }
  function setLarge(value: boolean) {
    large.value = value;
    localStorage.setItem("farseal-text", value ? "large" : "normal");
    show();
  }
  show();
  return { large, setLarge };
});

export type Speak = (language: Language) => Promise<void>;
