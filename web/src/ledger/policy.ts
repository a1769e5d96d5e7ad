import { type Key, NoteError, parseKey } from "../verify/note";

/** Whose cosignatures are enough (C2SP tlog-policy): witnesses, groups of them, and which of these must be met. */
export interface Policy {
  witnesses: { name: string; key: Key }[];
  groups: { name: string; needed: number; members: string[] }[];
  quorum: string;
}
const NONE = "none";

/** Reads a policy's text. Throws NoteError for one that cannot be understood: then nothing may be said to be met. */
export function parsePolicy(text: string): Policy {
  const policy: Policy = { witnesses: [], groups: [], quorum: "" };
  const known = new Set<string>();
  const define = (name: string) => {
    if (name === NONE || known.has(name)) throw new NoteError(`the name ${name} is taken`);
    known.add(name);
  };
  for (const line of text.split("\n").map((one) => one.trim())) {
    if (!line || line.startsWith("#")) continue;
    const [keyword, ...words] = line.split(/[ \t]+/);
    if (keyword === "log") continue;
    else if (keyword === "witness" && (words.length === 2 || words.length === 3)) {
      define(words[0]!);
      policy.witnesses.push({ name: words[0]!, key: parseKey(words[1]!) });
    } else if (keyword === "group" && words.length >= 3) {
      const [name, count, ...members] = words as [string, string, ...string[]];
      if (members.some((member) => !known.has(member)) || new Set(members).size < members.length) throw new NoteError("a group names what is not there, or twice");
      const needed = count === "all" ? members.length : count === "any" ? 1 : /^[1-9]\d{0,3}$/.test(count) ? Number(count) : 0;
      if (needed < 1 || needed > members.length) throw new NoteError("a group that can never be met");
      define(name);
      policy.groups.push({ name, needed, members });
    } else if (keyword === "quorum" && words.length === 1 && !policy.quorum && (words[0] === NONE || known.has(words[0]!))) policy.quorum = words[0]!;
    else throw new NoteError("not a policy");
  }
  if (!policy.quorum) throw new NoteError("a policy without a quorum");
  return policy;
}

/** Whether the quorum is met by the keys that `signed` says have signed. A policy that asks for nobody is always met. */
export function met(policy: Policy, signed: (key: Key) => boolean): boolean {
  const done = new Set(policy.witnesses.filter((one) => signed(one.key)).map((one) => one.name));
  // Each group names only what stands above it.
  for (const group of policy.groups) if (group.members.filter((member) => done.has(member)).length >= group.needed) done.add(group.name);
  return policy.quorum === NONE || done.has(policy.quorum);
}

/** "2 of 3", and of whom by the names in their keys; null for a policy that asks for nobody. */
export function asked(policy: Policy): { needed: number; of: string[] } | null {
  if (policy.quorum === NONE) return null;
  const owner = (name: string): string => {
    const key = policy.witnesses.find((one) => one.name === name)?.key;
    if (key) return key.name;
    const members = policy.groups.find((one) => one.name === name)!.members.map(owner);
    return new Set(members).size === 1 ? members[0]! : name; // a witness with two keys is a group of both
  };
  const group = policy.groups.find((one) => one.name === policy.quorum);
  const of = group?.members.map(owner) ?? [owner(policy.quorum)];
  return group && new Set(of).size > 1 ? { needed: group.needed, of } : { needed: 1, of: [owner(policy.quorum)] };
}
