import { mount } from "@vue/test-utils";
import { createPinia } from "pinia";
import { beforeEach, describe, expect, it } from "vitest";
import { createI18n } from "vue-i18n";
import { Problem } from "../api/problem";
import common from "../locales/zh-CN/common.json";
import FsButton from "./FsButton.vue";
import FsField from "./FsField.vue";
import ProblemNotice from "./ProblemNotice.vue";

const plugins = () => [createI18n({ legacy: false, locale: "zh-CN", messages: { "zh-CN": { common } } }), createPinia()];
const global = { plugins: plugins(), stubs: { RouterLink: true } };

describe("FsButton", () => {
  it("that cannot be pressed stays reachable and is tied to its reason", async () => {
    const button = mount(FsButton, { props: { reason: "还差一项" }, slots: { default: "提交" }, global });
    const element = button.get("button");
    expect(element.attributes("aria-disabled")).toBe("true");
    expect(element.attributes("disabled")).toBeUndefined();
    expect(button.get(`#${element.attributes("aria-describedby")}`).text()).toBe("还差一项");
    await element.trigger("click");
    expect(button.emitted("click")).toBeUndefined();
  });

  it("is pressed once while its act is under way", async () => {
    const button = mount(FsButton, { slots: { default: "提交" }, global });
    await button.get("button").trigger("click");
    await button.setProps({ busy: true });
    await button.get("button").trigger("click");
    expect(button.emitted("click")).toHaveLength(1);
  });
});

describe("ProblemNotice", () => {
  it("shows the server's sentences", () => {
    const problem = new Problem({ code: "upload-empty", status: 422, title: "文件是空的。", kept: "别的都在。", next: "请重拍。" });
    expect(mount(ProblemNotice, { props: { problem }, global }).text()).toBe("文件是空的。别的都在。请重拍。");
  });

  it("has sentences of its own for what the page itself met, also for a code it does not know", () => {
    for (const code of ["offline", "of-tomorrow"]) {
      const notice = mount(ProblemNotice, { props: { problem: Problem.local(code) }, global });
      const known = code === "offline" ? common.problems.offline : common.problems.unexpected;
      expect(notice.text()).toContain(known.title);
      expect(notice.text()).toContain(known.next);
    }
  });
});

describe("FsField", () => {
  let field: ReturnType<typeof mount<typeof FsField>>;
  beforeEach(() => {
    const problem = { code: "id-number-check-digit", status: 422, title: "校验不对。", kept: "已保存。", next: "请核对。" };
    field = mount(FsField, { props: { label: "证件号码", help: "18 位", kind: "id_number", problem, modelValue: "1" }, global });
  });

  it("ties label, help and problem to the control", () => {
    const input = field.get("input");
    expect(field.get("label").attributes("for")).toBe(input.attributes("id"));
    expect(input.attributes("aria-invalid")).toBe("true");
    const described = input.attributes("aria-describedby")!.split(" ").map((id) => field.get(`#${id}`).text());
    expect(described.join(" ")).toContain("18 位");
    expect(described.join(" ")).toContain("校验不对。");
  });

  it("keeps what was typed although it is wrong", () => {
    expect((field.get("input").element as HTMLInputElement).value).toBe("1");
  });

  it("keeps HTML as the text it is", () => {
    const nasty = mount(FsField, { props: { label: "<img src=x onerror=alert(1)>", modelValue: "<b>" }, global });
    expect(nasty.find("img").exists()).toBe(false);
    expect(nasty.get("label").text()).toContain("<img");
  });
});
