import type { TimelineEntry } from "../api/types";

/** What a session writes while it goes on, several a second, among each other; its turns (interrupted, closed) are not of it. */
const OF_SESSION = new Set(
  `segment gap finding take-started take-ended evidence-seen step-completed instruction-given record-line record-corrected
   record-disputed page-turned page-seen key-certified signing-prepared`.split(/\s+/),
);
const within = (entry: TimelineEntry) => OF_SESSION.has(entry.kind);
const alike = (a: TimelineEntry, b: TimelineEntry) => a.kind === b.kind || (within(a) && within(b));

/** Whether a group is a stretch of a session, and not a run of one kind of entry. */
export const ofSession = (group: readonly TimelineEntry[]) => within(group[0]!) && group.some((entry) => entry.kind !== group[0]!.kind);

/** Newest first; a run of many entries of one kind, or of a session under way, becomes one group. */
export function groupTimeline(entries: readonly TimelineEntry[], { run = 4 } = {}): TimelineEntry[][] {
  const groups: TimelineEntry[][] = [];
  for (const entry of [...entries].sort((a, b) => b.at - a.at || (b.index ?? Infinity) - (a.index ?? Infinity))) {
    const last = groups.at(-1);
    if (last && alike(last[0]!, entry)) last.push(entry);
    else groups.push([entry]);
  }
  return groups.flatMap((group) => (group.length >= run ? [group] : group.map((entry) => [entry])));
}
