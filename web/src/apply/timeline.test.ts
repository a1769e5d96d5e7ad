// @vitest-environment node
import { describe, expect, it } from "vitest";
import type { TimelineEntry } from "../api/types";
import { groupTimeline } from "./timeline";

const entry = (at: number, kind: string): TimelineEntry => ({ event: String(at), kind, title: kind, at, index: at, leaf_hash: "" });

describe("groupTimeline", () => {
  it("is newest first and folds only long runs of one kind", () => {
    const entries = [entry(1, "opened"), ...[2, 3, 4, 5].map((at) => entry(at, "segment")), entry(6, "signed"), entry(7, "segment"), entry(8, "segment")];
    expect(groupTimeline(entries).map((group) => group.map((each) => each.at))).toEqual([[8], [7], [6], [5, 4, 3, 2], [1]]);
  });

  it("folds the recording's segments, gaps and hints together", () => {
    const entries = ["segment", "gap", "segment", "finding", "segment"].map((kind, at) => entry(at, kind));
    expect(groupTimeline([...entries, entry(9, "signed")])).toHaveLength(2);
  });

  it("loses no entry", () => {
    const entries = Array.from({ length: 50 }, (_, i) => entry(i, i % 7 ? "segment" : "step"));
    expect(groupTimeline(entries).flat()).toHaveLength(50);
  });
});
