import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { useI18n } from "vue-i18n";
import { api } from "../api/client";
import type { Config } from "../api/types";

/** The office whose pages these are, and what stands in for the real thing while demo. */
export const useOffice = defineStore("office", () => {
  const config = ref<Config | null>(null);
  const { locale } = useI18n();
  const zh = computed(() => locale.value.startsWith("zh"));

  const name = computed(() => (zh.value ? config.value?.office.name_zh : config.value?.office.name_en) ?? "");
  const phone = computed(() => config.value?.office.phone ?? "");
  const hours = computed(() => (zh.value ? config.value?.office.hours_zh : config.value?.office.hours_en) ?? "");
  const demo = computed(() => config.value?.demo ?? false);
  /** Milliseconds the office's clock is ahead of UTC; until the server has said, this device's. */
  const offset = computed(() => (config.value?.utc_offset_minutes ?? -new Date().getTimezoneOffset()) * 60_000);
  /** Milliseconds to add to this device's clock to get the server's. */
  const skew = ref(0);

  async function load() {
    config.value = await api.get<Config>("/api/config");
    skew.value = config.value.now - Date.now();
  }

  return { config, name, phone, hours, demo, offset, skew, load };
});
