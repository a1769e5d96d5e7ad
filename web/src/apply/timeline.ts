import type { TimelineEntry } from "../api/types";

/** What the recorder and the watchers write by themselves, several a second, among each other. */
const BY_ITSELF = new Set(["segment", "gap", "finding"]);
const alike = (a: TimelineEntry, b: TimelineEntry) => a.kind === b.kind || (BY_ITSELF.has(a.kind) && BY_ITSELF.has(b.kind));

/** Newest first; a run of many entries of one kind, or of the recording's, becomes one group. */
export function groupTimeline(entries: readonly TimelineEntry[], { run = 4 } = {}): TimelineEntry[][] {
  const groups: TimelineEntry[][] = [];
  for (const entry of [...entries].sort((a, b) => b.at - a.at || (b.index ?? Infinity) - (a.index ?? Infinity))) {
    const last = groups.at(-1);
    if (last && alike(last[0]!, entry)) last.push(entry);
    else groups.push([entry]);
  }
  return groups.flatMap((group) => (group.length >= run ? [group] : group.map((entry) => [entry])));
}
