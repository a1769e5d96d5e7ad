// @vitest-environment node
import { describe, expect, it } from "vitest";
import { ApiClient } from "./client";
import { Problem } from "./problem";

type Seen = { path: string; init: RequestInit };

function client(answer: (seen: Seen) => Promise<Response> | Response, { online = true, language = "zh-CN" } = {}) {
  const seen: Seen[] = [];
  const made = new ApiClient({
    fetch: async (input, init) => {
      const call = { path: String(input), init: init! };
      seen.push(call);
      init!.signal?.throwIfAborted();
      return answer(call);
    },
    online: () => online,
    language: () => language,
  });
  return { made, seen };
}
const json = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
const met = async (promise: Promise<unknown>): Promise<Problem> => {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Problem);
  return error as Problem;
};

describe("ApiClient", () => {
  it("sends the CSRF header and the reader's language on every call", async () => {
    const { made, seen } = client(() => json({ ok: 1 }), { language: "en" });
    await made.get("/api/config");
    await made.post("/api/cases", { matter: "poa-remote" });
    for (const { init } of seen) {
      const headers = init.headers as Record<string, string>;
      expect(headers["X-Farseal"]).toBe("1");
      expect(headers["Accept-Language"]).toBe("en");
      expect(init.credentials).toBe("same-origin");
    }
    expect(seen[1]!.init.body).toBe('{"matter":"poa-remote"}');
  });

  it("gives the server's three sentences as they come", async () => {
    const body = { code: "id-number-check-digit", title: "校验不对", kept: "已保存", next: "请核对", field: "document_number" };
    const { made } = client(() => json(body, 422));
    const problem = await met(made.put("/api/cases/1/form/document_number", { value: "1" }));
    expect(problem).toMatchObject({ ...body, status: 422, local: false });
    expect(problem.passing).toBe(false);
  });

  it("tells a missing network from a server out of reach", async () => {
    const fail = () => Promise.reject(new TypeError("fetch failed"));
    expect((await met(client(fail, { online: false }).made.get("/x"))).code).toBe("offline");
    const unreachable = await met(client(fail).made.get("/x"));
    expect(unreachable.code).toBe("unreachable");
    expect(unreachable.passing).toBe(true);
  });

  it("never shows a parser's words", async () => {
    expect((await met(client(() => new Response("<html>", { status: 200 })).made.get("/x"))).code).toBe("not-understood");
    expect((await met(client(() => new Response("<html>", { status: 502 })).made.get("/x"))).code).toBe("server-failed");
    expect((await met(client(() => new Response("", { status: 413 })).made.post("/x"))).code).toBe("upload-too-large");
    expect(Problem.from(new SyntaxError("Unexpected token")).code).toBe("unexpected");
  });

  it("gives up at its deadline, and says so", async () => {
    const { made } = client(
      ({ init }) => new Promise((_, reject) => init.signal!.addEventListener("abort", () => reject(init.signal!.reason))),
    );
    expect((await met(made.json("/x", { deadline_ms: 5 }))).code).toBe("too-slow");
  });

  it("says that a call was taken back", async () => {
    const stop = new AbortController();
    stop.abort();
    expect((await met(client(() => json({})).made.get("/x", stop.signal))).code).toBe("cancelled");
  });

  it("takes an empty answer for nothing", async () => {
    expect(await client(() => new Response(null, { status: 204 })).made.delete("/x")).toBeUndefined();
  });
});
