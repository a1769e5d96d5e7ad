// @vitest-environment node
import { beforeEach, describe, expect, it } from "vitest";
import { Problem } from "../api/problem";
import type { FieldValue } from "../api/types";
import { FieldSaver, type FieldState, type SaverParts } from "./saver";

class Shelf {
  readonly values = new Map<string, string>();
  getItem = (key: string) => this.values.get(key) ?? null;
  setItem = (key: string, value: string) => void this.values.set(key, value);
  removeItem = (key: string) => void this.values.delete(key);
}

let shelf: Shelf;
let sent: [string, FieldValue][];
let states: [string, FieldState][];
let refused: [string, string][];
let problems: string[];
let answer: (key: string, value: FieldValue) => Promise<void>;

function saver(): FieldSaver {
  const parts: SaverParts = {
    put: async (key, value) => {
      await answer(key, value);
      sent.push([key, value]);
      return { form: { [key]: value }, problems: {} };
    },
    store: shelf,
    place: "form-1",
    onState: (key, state) => states.push([key, state]),
    onSaved: () => undefined,
    onRefused: (key, problem) => refused.push([key, problem.title]),
    onProblem: (problem) => problems.push(problem.code),
  };
  return new FieldSaver(parts);
}

beforeEach(() => {
  shelf = new Shelf();
  [sent, states, refused, problems] = [[], [], [], []];
  answer = () => Promise.resolve();
});

describe("FieldSaver", () => {
  it("says that a field is ahead of the server from its first letter until it is saved", async () => {
    const its = saver();
    let arrived = (): void => undefined;
    answer = () => new Promise((done) => (arrived = done));
    const first = its.change("name", "A");
    its.touch("address");
    arrived();
    await first;
    expect([its.isAhead("name"), its.isAhead("address")]).toEqual([false, true]);
    answer = () => Promise.resolve();
    await its.change("address", "B");
    expect(its.isAhead("address")).toBe(false);
    its.touch("note");
    its.leave("note");
    expect(its.isAhead("note")).toBe(false);
  });

  it("sends a field and forgets it once the server has it", async () => {
    await saver().change("name", "申请人甲");
    expect(sent).toEqual([["name", "申请人甲"]]);
    expect(states.at(-1)).toEqual(["name", "saved"]);
    expect(shelf.values.size).toBe(0);
  });

  it("keeps a value on the device while there is no network, and sends it from a new page", async () => {
    answer = () => Promise.reject(Problem.local("offline"));
    await saver().change("name", "申请人甲");
    expect(sent).toEqual([]);
    expect(states.at(-1)).toEqual(["name", "kept"]);

    answer = () => Promise.resolve();
    const reopened = saver();
    expect(reopened.pending).toEqual({ name: "申请人甲" });
    await reopened.flush();
    expect(sent).toEqual([["name", "申请人甲"]]);
    expect(reopened.pending).toEqual({});
  });

  it("sends the newest value when a field changes while it is being sent", async () => {
    let release = () => undefined as void;
    answer = () => new Promise((resolve) => (release = resolve));
    const form = saver();
    const first = form.change("name", "甲");
    const second = form.change("name", "甲乙");
    release();
    answer = () => Promise.resolve();
    await Promise.all([first, second]);
    expect(sent.map(([, value]) => value)).toEqual(["甲", "甲乙"]);
    expect(form.pending).toEqual({});
  });

  it("shows a refusal under its field and goes on with the others", async () => {
    answer = (key) =>
      key === "number"
        ? Promise.reject(new Problem({ code: "field-too-long", status: 422, title: "太长了" }))
        : Promise.resolve();
    const form = saver();
    await Promise.all([form.change("number", "9".repeat(40)), form.change("name", "甲")]);
    expect(refused).toEqual([["number", "太长了"]]);
    expect(sent).toEqual([["name", "甲"]]);
  });

  it("keeps what was typed when the sign-in has run out", async () => {
    answer = () => Promise.reject(new Problem({ code: "login-needed", status: 401, title: "请先登录" }));
    await saver().change("name", "甲");
    expect(problems).toEqual(["login-needed"]);
    expect(saver().pending).toEqual({ name: "甲" });
  });

  it.each([429, 500, 503, 507])("keeps a value through a %i and sends it later", async (status) => {
    answer = () => Promise.reject(new Problem({ code: "busy", status, title: "请稍后" }));
    const form = saver();
    await form.change("name", "甲");
    expect(form.pending).toEqual({ name: "甲" });
    answer = () => Promise.resolve();
    await form.flush();
    expect(sent).toEqual([["name", "甲"]]);
  });

  it("says a save again that met another one on the way", async () => {
    let met = 0;
    answer = () =>
      met++ < 2 ? Promise.reject(new Problem({ code: "case-changed", status: 409, title: "刚改过" })) : Promise.resolve();
    await saver().change("name", "甲");
    expect(sent).toEqual([["name", "甲"]]);
  });
});
