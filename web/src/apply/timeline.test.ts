// @vitest-environment node
import { describe, expect, it } from "vitest";
import type { TimelineEntry } from "../api/types";
import { groupTimeline, ofSession } from "./timeline";

const entry = (at: number, kind: string): TimelineEntry => ({ event: String(at), kind, title: kind, at, index: at, leaf_hash: "" });

describe("groupTimeline", () => {
  it("is newest first and folds only long runs of one kind", () => {
    const entries = [entry(1, "opened"), ...[2, 3, 4, 5].map((at) => entry(at, "segment")), entry(6, "signed"), entry(7, "segment"), entry(8, "segment")];
    expect(groupTimeline(entries).map((group) => group.map((each) => each.at))).toEqual([[8], [7], [6], [5, 4, 3, 2], [1]]);
  });

  it("folds what a session writes into one group, and leaves its turns to stand alone", () => {
    const kinds = ["session-opened", "segment", "gap", "evidence-seen", "segment", "session-interrupted", "finding", "segment", "page-seen", "record-line"];
    const groups = groupTimeline(kinds.map((kind, at) => entry(at, kind)));
    expect(groups.map((group) => group.length)).toEqual([4, 1, 4, 1]);
    expect(groups.map(ofSession)).toEqual([true, false, true, false]);
    expect(ofSession([entry(1, "segment"), entry(2, "segment")])).toBe(false);
  });

  it("loses no entry", () => {
    const entries = Array.from({ length: 50 }, (_, i) => entry(i, i % 7 ? "segment" : "step"));
    expect(groupTimeline(entries).flat()).toHaveLength(50);
  });
});
