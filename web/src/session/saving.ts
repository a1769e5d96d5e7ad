import { api } from "../api/client";
import { Problem } from "../api/problem";
import { leavesIn, missingFrom } from "./copy";
import { shelf, type KeptReceipt } from "./receipts";

export interface SavedCopy {
  /** Bytes of copy.zip. */
  size: number;
  receipts: number;
  missing: KeptReceipt[];
}

/** Hands a file to the browser's downloads. */
export function saveFile(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/**
 * Fetches the equal copy and the receipt, keeps both on this device, hands them to the downloads, and checks that
 * every place in the ledger shown during the session stands in the copy. Throws Problem.
 */
export async function saveCopy(caseId: string, session: string | null, { download }: { download: boolean }): Promise<SavedCopy> {
  const zip = await api.bytes(`/api/cases/${caseId}/copy.zip`);
  const copy = new Blob([zip], { type: "application/zip" });
  await shelf.keepCopy(caseId, "copy.zip", copy);
  const short = caseId.slice(0, 8);
  if (download) saveFile(copy, `farseal-${short}-copy.zip`);
  const receipt = await api.bytes(`/api/cases/${caseId}/receipt.json`).catch((error: unknown) => {
    if (Problem.from(error).status === 404) return null; // the copy holds the same
    throw error;
  });
  if (receipt) {
    const file = new Blob([receipt], { type: "application/json" });
    await shelf.keepCopy(caseId, "receipt.json", file);
    if (download) saveFile(file, `farseal-${short}-receipt.json`);
  }
  const shown = session ? await shelf.receipts(session) : [];
  return { size: zip.length, receipts: shown.length, missing: missingFrom(await leavesIn(zip), shown) };
}
