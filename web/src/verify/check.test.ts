// @vitest-environment node
import { describe, expect, it } from "vitest";
import { checkChosen } from "./check";
import { verdictOf } from "./report";

const progress = { checks: () => undefined, share: () => undefined };
const large = { size: 100_000_001, arrayBuffer: () => Promise.reject(new Error("was read")) } as unknown as Blob;

describe("a chosen file", () => {
  it.each([
    ["that is empty", new Blob([]), "empty", "indeterminate"],
    ["too large to be read here", large, "too-large", "indeterminate"],
    ["of another kind", new Blob(["GIF89a"]), "unknown-kind", "invalid"],
  ])("%s", async (_name, file, reason, verdict) => {
    const report = await checkChosen(file, progress);
    expect([report.kind, report.checks[0]!.reason, verdictOf(report)]).toEqual(["unknown", reason, verdict]);
  });
});
