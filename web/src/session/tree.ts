import { fromHex } from "../verify/hex";
import { ProofError } from "../verify/merkle";
import { fromServer, openLog, type Public, reach } from "../verify/office";
import type { KeptReceipt } from "./receipts";

/** What became of the places a page was shown. */
export interface InTree {
  /** Entries under the office's newest signed checkpoint. */
  size: number;
  /** Shown places that lead to that checkpoint's root. */
  held: number;
  /** Shown places whose leaf hash does not lead there: dropped or changed since. */
  missing: KeptReceipt[];
  /** Shown places that no signed checkpoint covers yet. */
  beyond: number;
}

/**
 * Checks here, on this device, that every place a page was shown is in the tree the office signs.
 *
 * Throws Unavailable where that cannot be told: no line, a signature that does not hold, a browser without Ed25519.
 */
export async function inTree(shown: readonly KeptReceipt[], office: Public = fromServer): Promise<InTree> {
  const trust = await reach(office.trust());
  const { log } = await openLog(office, trust);
  const found: InTree = { size: log.size, held: 0, missing: [], beyond: 0 };
  for (const receipt of shown) {
    if (receipt.index >= log.size) found.beyond += 1;
    else if (await leads(log.reach(receipt.index, fromHex(receipt.leaf_hash)))) found.held += 1;
    else found.missing.push(receipt);
  }
  return found;
}

async function leads(climbing: Promise<unknown>): Promise<boolean> {
  try {
    await reach(climbing);
    return true;
  } catch (error) {
    if (error instanceof ProofError) return false;
    throw error;
  }
}
