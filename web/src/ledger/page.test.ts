import { flushPromises, mount } from "@vue/test-utils";
import { createPinia } from "pinia";
import { describe, expect, it } from "vitest";
import { createI18n } from "vue-i18n";
import commonEn from "../locales/en/common.json";
import en from "../locales/en/ledger.json";
import commonZh from "../locales/zh-CN/common.json";
import zh from "../locales/zh-CN/ledger.json";
import Growth from "./Growth.vue";
import Mirror from "./Mirror.vue";
import Scrubbed from "./Scrubbed.vue";
import type { Place, Rule, Told } from "./standing";
import Witnesses from "./Witnesses.vue";

/** The parts of the ledger page in both languages: every state has its sentence, and no key shows through. */

const told = (more: Partial<Told> = {}): Told => ({ now: 1_795_442_500_000, size: 200, stale_ms: 86_400_000, policy: null, witnesses: [], growth: null, seals: { waiting: 0, for: null }, scrub: { at: null, entries: 0, damaged: 0, named: [] }, ...more });
const place = (name: string, more: Partial<Place>): Place => ({ name, state: "level", size: 200, at: 1_795_442_400_000, behind: 0, lag_ms: null, asked: true, failing_since: null, answers: true, lines: [{ kind: 4, standing: "good" }], ...more });
const missing: string[] = [];
function show(locale: string, part: Parameters<typeof mount>[0], props: Record<string, unknown>) {
  const i18n = createI18n({ legacy: false, locale, missing: (_, key) => void missing.push(key), messages: { "zh-CN": { common: commonZh, ledger: zh }, en: { common: commonEn, ledger: en } } });
  const shown = mount(part, { props, global: { plugins: [i18n, createPinia()], stubs: { RouterLink: true } } });
  expect(missing).toEqual([]);
  expect(shown.text()).not.toMatch(/ledger\.[a-z]|\{[a-z_]+\}|undefined|NaN/);
  return shown;
}

describe.each(["zh-CN", "en"])("in %s", (locale) => {
  const words = locale === "en" ? en : zh;

  it("says plainly when nobody outside has signed", () => {
    const shown = show(locale, Witnesses, { places: [], rule: null, told: told() });
    expect(shown.get("[data-witnesses=none]").text()).toContain(words.witness.nobody);
    expect(shown.find("table").exists()).toBe(false);
  });

  it("has a row for each witness, with what was checked and who is silent", () => {
    const places = [
      place("a", {}),
      place("b", { state: "behind", size: 150, behind: 50, lag_ms: 90_000, lines: [{ kind: 4, standing: "good" }, { kind: 6, standing: "unchecked" }] }),
      place("c", { state: "never", size: null, at: null, behind: 200, lines: [{ kind: 4, standing: "none" }], asked: false }),
      place("d", { state: "forged", lines: [{ kind: 4, standing: "bad" }] }),
      place("e", { state: "behind", size: 150, behind: 50, failing_since: 1_795_442_400_000, answers: false }),
      place("f", { failing_since: 1_795_442_400_000, lines: [{ kind: 6, standing: "unchecked" }] }),
    ];
    const shown = show(locale, Witnesses, { places, rule: null, told: told({ seals: { waiting: 2, for: "witnesses" } }) });
    expect(shown.findAll("[data-witness]").map((row) => row.attributes("data-state"))).toEqual(["level", "behind", "never", "forged", "silent", "silent"]);
    expect(shown.get("[data-witness=b]").text()).toContain("ML-DSA-44");
    expect(shown.get("[data-witness=e]").text()).toContain(words.witness.states.silent);
    expect(shown.get("[data-witness=f]").text()).toContain(words.witness.states.unwilling);
    expect(shown.get("[data-witness=c]").text()).toContain(words.witness.unasked);
    expect(shown.get("[data-seals]").text()).toContain("2");
  });

  it.each(["met", "unsure", "open", "unreadable"] as const)("tells the rule's outcome: %s", (outcome) => {
    const rule: Rule = { needed: 2, of: ["a", "b", "c"], outcome, early: true };
    const shown = show(locale, Witnesses, { places: [place("a", {})], rule, told: told() });
    expect(shown.get("[data-rule]").attributes("data-rule")).toBe(outcome);
    expect(shown.text()).toContain(outcome === "unreadable" ? words.rule.unreadable : words.rule.outcomes[outcome]);
    expect(shown.text()).toContain(words.rule.early);
  });

  it.each(["witnesses", "timestamp", null] as const)("tells for whom seals wait: %s", (who) => {
    show(locale, Witnesses, { places: [], rule: null, told: told({ seals: { waiting: 1, for: who } }) });
  });

  it("says no more of what was read again than that nothing was noticed, and as of when", () => {
    const shown = (scrub: Partial<Told["scrub"]>) => show(locale, Scrubbed, { scrub: { ...told().scrub, ...scrub } }).text();
    expect(shown({})).toContain(words.scrub.first);
    expect(shown({ at: 1_795_442_400_000 })).toContain(words.scrub.empty);
    expect(shown({ at: 1_795_442_400_000, entries: 200 })).toContain("200");
    const damaged = shown({ at: 1_795_442_400_000, entries: 200, damaged: 2, named: ["entry 3", "tile 0/1"] });
    expect(damaged).toContain("tile 0/1");
    expect(damaged).toContain(words.scrub.repair);
    expect(damaged).not.toContain(words.scrub.fine.slice(0, 6));
  });

  it.each([60_000, 600_000, 3_600_000, 86_400_000, 604_800_000, 2_419_200_000])("draws growth in steps of %i ms and lists the same figures", (step_ms) => {
    const growth = { start: 1_795_442_400_000, step_ms, before: 3, sizes: [3, 8, 12] };
    const shown = show(locale, Growth, { growth, now: growth.start + 2.5 * step_ms });
    expect(shown.findAll("rect")).toHaveLength(2);
    expect(shown.findAll("tbody tr").map((row) => row.findAll("td").map((cell) => cell.text()))).toEqual([["4", "12"], ["5", "8"]]);
    expect(shown.get("svg").attributes("aria-label")).toContain("12");
  });

  it("gives commands to copy, and says when the browser does not allow it", async () => {
    const shown = show(locale, Mirror, { trust: { demo: true, office: {}, ledger: { origin: "o", vkeys: ["o+1+AQ"] }, witnesses: [] } });
    expect(shown.findAll(".command pre").map((one) => one.text().split(" ").slice(0, 3).join(" "))).toEqual(["farseal ledger mirror", "farseal ledger audit", "farseal witness --dir"]);
    expect(shown.text()).toContain("o+1+AQ");
    Object.defineProperty(navigator, "clipboard", { configurable: true, value: { writeText: () => Promise.reject(new Error("no")) } });
    await shown.get(".command button").trigger("click");
    await flushPromises();
    expect(shown.get(".command [role=status]").text()).toBe(words.not_copied);
    const copied: string[] = [];
    Object.defineProperty(navigator, "clipboard", { configurable: true, value: { writeText: async (text: string) => void copied.push(text) } });
    await shown.get(".command button").trigger("click");
    await flushPromises();
    expect(shown.get(".command [role=status]").text()).toBe(words.copied);
    expect(copied[0]).toContain("farseal ledger mirror");
  });
});
