import { sha256 } from "@noble/hashes/sha2.js";
import type { VerifyNumber } from "../api/types";
import { fromBase64, toHex, type Bytes } from "../signing/bytes";
import { ArchiveError, unpack } from "./archive";
import { canonical, parseCanonical } from "./canonical";
import { fromHex } from "./hex";
import type { Leaf } from "./log";
import { climb, leafHash } from "./merkle";
import { type Checkpoint, ED25519, parseCheckpoint, requireSigned, signedAt, verifyEd25519 } from "./note";
import { ed25519Known, keysOf, notesOf, openLog, type Public, reach, requireBrowser, runStatus, type Trust } from "./office";
import { type Check, Failed, Procedure, type Report, type Span } from "./report";

/**
 * Check an evidence bundle on this device, in the order of docs/bundle-format.md.
 *
 * X.509 (the seal, the PDFs' signatures, timestamps) is left to `farseal verify`: those checks are listed as made
 * elsewhere. What decides here is the ledger's signature over the manifest, the entries' proofs, and the register.
 */

interface Manifest {
  v: number;
  format: string;
  certificate: { number: string; issued_on: string; sha256: string };
  facts: Record<string, string | number | null>;
  session: { id: string; started_at: number; ended_at: number };
  segments: unknown[];
  gaps: { kind: string; start_at: number; end_at: number }[];
  timeline: { number: number; key: string; title?: string; started_at: number; completed_at: number }[];
  files: Record<string, { sha256: string; size: number }>;
  commitments: Record<string, string>;
  salts: Record<string, string>;
}
interface Chain {
  chain: string;
  entries: { index: number; leaf: string; inclusion: string[] }[];
}
type Placed = Leaf & { hash: string; bytes: Uint8Array };

const utf8 = (text: string): Bytes => new TextEncoder().encode(text) as Bytes;
const digest = (data: Uint8Array): string => toHex(sha256(data));

export async function checkBundle(data: Uint8Array, office: Public, told?: (checks: readonly Check[]) => void): Promise<Report> {
  const run = new Procedure(told);
  let files = new Map<string, Bytes>();
  let manifest!: Manifest;
  let trust: Trust | undefined;
  let checkpoint!: Checkpoint;
  let chain: Placed[] = [];
  let register: Placed[] = [];
  let completed!: Placed;
  let standing: VerifyNumber | undefined;

  await run.run("archive", () => {
    try {
      files = unpack(data);
    } catch (error) {
      if (error instanceof ArchiveError) throw new Failed("not-canonical");
      throw error;
    }
    return { detail: { files: files.size } };
  });
  await run.run(
    "manifest",
    () => {
      manifest = parseCanonical<Manifest>(files.get("manifest.json")!);
      if (manifest.v !== 1 || manifest.format !== "farseal-evidence-bundle") throw new Failed("version");
      requireFiles(manifest, files);
      return { detail: { files: Object.keys(manifest.files).length, items: requireItems(manifest) } };
    },
    ["archive"],
  );
  await run.run(
    "signature",
    async () => {
      trust = await reach(office.trust());
      requireBrowser(await ed25519Known());
      return { against: await requireManifestSigned(files, manifest, trust) };
    },
    ["manifest"],
  );
  await run.run(
    "checkpoint",
    async () => {
      checkpoint = parseCheckpoint(new TextDecoder().decode(files.get("ledger/checkpoint.txt")!));
      const keys = keysOf(trust!);
      const key = await requireSigned(checkpoint, keys).catch(() => {
        throw new Failed("checkpoint");
      });
      return { detail: { size: checkpoint.size, signed_at: signedAt(checkpoint, keys) }, against: `Ed25519 ${key.name}+${key.id}` };
    },
    ["signature"],
  );
  await run.run(
    "inclusion",
    () => {
      chain = openChain(parseCanonical<Chain>(files.get("ledger/case.json")!), checkpoint);
      register = openChain(parseCanonical<Chain>(files.get("ledger/register.json")!), checkpoint);
      return { detail: { entries: chain.length + register.length, size: checkpoint.size }, against: toHex(checkpoint.root) };
    },
    ["checkpoint"],
  );
  await run.run("completeness", () => ({ detail: requireComplete(chain, manifest.session.id) }), ["inclusion"]);
  await run.run(
    "register",
    async () => {
      const found = register.filter((leaf) => leaf.body.kind === "act-completed");
      const holds = (leaf: Placed) => leaf.body.pdf_sha256 === digest(files.get("certificate.pdf")!) && leaf.body.number === manifest.certificate.number;
      if (found.length !== 1 || !holds(found[0]!)) throw new Failed("other-certificate");
      completed = found[0]!;
      // The same entry must stand in the log as everybody sees it today: a forked history shows here.
      const { log } = await openLog(office, trust!);
      if (log.size < checkpoint.size) throw new Failed("log-shrunk", { size: log.size });
      await log.prove(completed.index, completed.bytes).catch(() => {
        throw new Failed("forked", { index: completed.index });
      });
      return { detail: { index: completed.index, size: log.size, sha256: String(completed.body.pdf_sha256) }, against: toHex(log.checkpoint.root) };
    },
    ["inclusion"],
  );
  run.leave("seal", "pdf", "signed");
  await runStatus(run, office, () => manifest.certificate.number, ["register"], (one) => (standing = one));
  const told_ = run.checks.some((check) => check.key === "signature" && check.outcome === "ok");
  return {
    kind: "bundle",
    place: "here",
    checks: run.checks,
    notes: trust ? notesOf(trust) : [],
    facts: told_ ? factsOf(manifest) : { values: {} },
    asOf: standing?.as_of ?? null,
  };
}

function requireFiles(manifest: Manifest, files: Map<string, Bytes>) {
  const listed = new Map(Object.entries(manifest.files));
  const held = [...files].filter(([name]) => !["manifest.json", "signatures.json"].includes(name) && !name.startsWith("META-INF/"));
  const wrong = held.filter(([name, data]) => listed.get(name)?.sha256 !== digest(data) || listed.get(name)?.size !== data.length);
  if (wrong.length || held.length !== listed.size) throw new Failed("digest", { files: wrong.map(([name]) => name).join(", ") });
}

/** Every item is what its salted commitment says: SHA-256("ledger/commit/v1" 00 || salt || SHA-256(JCS)). */
function requireItems(manifest: Manifest): number {
  const items = new Map<string, unknown>(Object.entries(manifest.facts).map(([name, fact]) => [`facts/${name}`, fact]));
  for (const kind of ["segments", "gaps", "timeline"] as const) manifest[kind].forEach((item, i) => items.set(`${kind}/${i}`, item));
  for (const [name, item] of items) {
    const made = sha256.create().update(utf8("ledger/commit/v1\0")).update(fromHex(manifest.salts[name] ?? "")).update(sha256(utf8(canonical(item))));
    if (toHex(made.digest()) !== manifest.commitments[name]) throw new Failed("commitment", { name });
  }
  if (Object.keys(manifest.commitments).length !== items.size) throw new Failed("commitment");
  return items.size;
}

async function requireManifestSigned(files: Map<string, Bytes>, manifest: Manifest, trust: Trust): Promise<string> {
  const record = parseCanonical<{ v: number; signatures: { over: string; key: string; signature: string }[] }>(files.get("signatures.json")!);
  const key = keysOf(trust).find((one) => one.type === ED25519 && record.signatures.every((each) => each.key === `${one.name}+${one.id}`));
  if (!key || record.v !== 1 || record.signatures.map((each) => each.over).sort().join() !== "commitments,manifest.json") throw new Failed("signature");
  for (const each of record.signatures) {
    const signed = each.over === "manifest.json" ? files.get("manifest.json")! : utf8(canonical(manifest.commitments));
    const context = utf8(`farseal/bundle/v1\0${each.over}\0`);
    const message = new Uint8Array([...context, ...sha256(signed)]);
    if (!(await verifyEd25519(key, message, fromBase64(each.signature)))) throw new Failed("signature");
  }
  return `Ed25519 ${key.name}+${key.id}`;
}

function openChain(value: Chain, checkpoint: Checkpoint): Placed[] {
  return value.entries.map((entry) => {
    const bytes = utf8(entry.leaf);
    const hash = leafHash(bytes);
    const leaf = parseCanonical<Leaf>(bytes);
    try {
      climb(entry.index, checkpoint.size, hash, entry.inclusion.map(fromHex), checkpoint.root);
    } catch {
      throw new Failed("inclusion", { index: entry.index });
    }
    if (leaf.index !== entry.index || leaf.case !== value.chain) throw new Failed("inclusion", { index: entry.index });
    return { ...leaf, hash: toHex(hash), bytes };
  });
}

/** No entry of the session is missing: the chain is whole, and the session's seal counts what is here. */
function requireComplete(chain: Placed[], session: string): Record<string, unknown> {
  chain.forEach((leaf, number) => {
    const before = number ? chain[number - 1]!.hash : "0".repeat(64);
    if (leaf.case_seq !== number || leaf.case_prev !== before) throw new Failed("entry-missing", { index: leaf.index });
  });
  const seals = chain.filter((leaf) => leaf.body.kind === "session-seal" && leaf.body.session === session);
  if (seals.length !== 1) throw new Failed("no-session-seal");
  const seal = seals[0]!;
  const [first, last, count] = [Number(seal.body.first_case_seq), Number(seal.body.last_case_seq), Number(seal.body.count)];
  if (!(first >= 0 && first <= last && last < seal.case_seq && count === last - first + 1)) throw new Failed("count");
  const stray = chain.find(
    ({ body, case_seq }) => body.session === session && !["session-seal", "session-sealed"].includes(body.kind) && (case_seq < first || case_seq > last),
  );
  if (stray) throw new Failed("count");
  return { session_entries: count, first, last, sealed_at: seal.time };
}

function factsOf(manifest: Manifest): Report["facts"] {
  const { session } = manifest;
  const span = (one: { start_at: number; end_at: number }): Span => ({ from_ms: one.start_at - session.started_at, to_ms: one.end_at - session.started_at });
  return {
    number: manifest.certificate.number,
    issued_on: manifest.certificate.issued_on,
    values: manifest.facts,
    pdf_sha256: manifest.certificate.sha256,
    session: {
      started_at: session.started_at,
      duration_ms: session.ended_at - session.started_at,
      steps: manifest.timeline.map((step) => ({ ...step, ...span({ start_at: step.started_at, end_at: step.completed_at }) })),
      gaps: manifest.gaps.map((gap) => ({ kind: gap.kind, ...span(gap) })),
    },
  };
}
