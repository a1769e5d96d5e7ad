import type { TimelineEntry } from "../api/types";

/** Newest first; a run of many entries of one kind (the recording's segments) becomes one group. */
export function groupTimeline(entries: readonly TimelineEntry[], { run = 4 } = {}): TimelineEntry[][] {
  const groups: TimelineEntry[][] = [];
  for (const entry of [...entries].sort((a, b) => b.at - a.at || (b.index ?? Infinity) - (a.index ?? Infinity))) {
    const last = groups.at(-1);
    if (last && last[0]!.kind === entry.kind) last.push(entry);
    else groups.push([entry]);
  }
  return groups.flatMap((group) => (group.length >= run ? [group] : group.map((entry) => [entry])));
}
