import { mount } from "@vue/test-utils";
import { createPinia } from "pinia";
import { expect, it } from "vitest";
import { defineComponent } from "vue";
import { createI18n } from "vue-i18n";
import type { Config } from "../api/types";
import { useOffice } from "../stores/office";
import { useMoments } from "./moments";

/** 17:30 on the last of November, UTC. */
const AT = Date.UTC(2026, 10, 30, 17, 30);

it.each([
  [480, "2026-12-01", "December 1 at 01:30"],
  [-300, "2026-11-30", "November 30 at 12:30"],
])("tells the office's day and time by the offset its server names: %i minutes", (minutes, day, time) => {
  let told: string[] = [];
  const Page = defineComponent({
    setup() {
      useOffice().config = { utc_offset_minutes: minutes } as Config;
      const { officeDay, atOffice } = useMoments();
      told = [officeDay(AT), atOffice(AT, { month: "long", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" })];
      return () => null;
    },
  });
  mount(Page, { global: { plugins: [createI18n({ legacy: false, locale: "en" }), createPinia()] } });
  expect(told).toEqual([day, time]);
});
