import { type Checkpoint, ED25519, type Key } from "../verify/note";
import { lineOf, type Standing } from "./cosignature";

/** What the log's own signatures on a checkpoint are worth here. `held`: kinds that hold; `left`: kinds this browser does
 * not know. */
export interface Seal {
  standing: Exclude<Standing, "none">;
  held: string[];
  left: string[];
}
const kind = (key: Key) => (key.type === ED25519 ? "Ed25519" : "ML-DSA-44");

/** Every key of the origin has to have signed: a line taken away counts like one that fails (docs/ledger-format.md). */
export async function sealOf(checkpoint: Checkpoint, keys: readonly Key[]): Promise<Seal> {
  const own = keys.filter((key) => key.name === checkpoint.origin);
  const lines = await Promise.all(own.map(async (key) => ({ kind: kind(key), standing: (await lineOf(key, checkpoint)).standing })));
  const of = (standing: Standing) => lines.filter((line) => line.standing === standing).map((line) => line.kind);
  const [held, left] = [of("good"), of("unchecked")];
  const bad = !lines.length || held.length + left.length < lines.length;
  return { standing: bad ? "bad" : held.length ? "good" : "unchecked", held, left };
}
