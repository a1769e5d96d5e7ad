import type { Anchored } from "../api/types";

/** A place in the public ledger this page was shown while the session ran. */
export type KeptReceipt = Pick<Anchored, "index" | "leaf_hash" | "kind" | "at">;

const DATABASE = "farseal";
const SHELVES = { receipts: "receipts", copies: "copies" } as const;

function opened(factory: IDBFactory): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(SHELVES.receipts);
      request.result.createObjectStore(SHELVES.copies);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser's store did not open"));
  });
}

/**
 * What this device was shown and given, kept on this device: the applicant's own check on the office.
 *
 * Survives a reload. A browser without a store (private windows) keeps it in memory until the page is closed.
 */
export class DeviceShelf {
  private database: Promise<IDBDatabase | null>;
  private readonly memory = new Map<string, unknown>();

  constructor(factory: IDBFactory | undefined = globalThis.indexedDB) {
    this.database = factory ? opened(factory).catch(() => null) : Promise.resolve(null);
  }

  keepReceipt(session: string, receipt: KeptReceipt): Promise<void> {
    const place = `${session}/${String(receipt.index).padStart(16, "0")}`;
    return this.put(SHELVES.receipts, place, { ...receipt });
  }

  /** Every receipt of a session, by index. */
  async receipts(session: string): Promise<KeptReceipt[]> {
    return (await this.under<KeptReceipt>(SHELVES.receipts, `${session}/`)).sort((a, b) => a.index - b.index);
  }

  keepCopy(caseId: string, name: string, content: Blob): Promise<void> {
    return this.put(SHELVES.copies, `${caseId}/${name}`, content);
  }

  async copies(caseId: string): Promise<Blob[]> {
    return this.under<Blob>(SHELVES.copies, `${caseId}/`);
  }

  private async put(shelf: string, place: string, value: unknown): Promise<void> {
    const database = await this.database;
    if (!database) return void this.memory.set(`${shelf}:${place}`, value);
    await new Promise<void>((resolve) => {
      const transaction = database.transaction(shelf, "readwrite");
      transaction.objectStore(shelf).put(value, place);
      transaction.oncomplete = () => resolve();
      transaction.onabort = transaction.onerror = () => {
        this.memory.set(`${shelf}:${place}`, value); // the disk is full: better in memory than not at all
        resolve();
      };
    });
  }

  private async under<T>(shelf: string, prefix: string): Promise<T[]> {
    const kept = [...this.memory].filter(([place]) => place.startsWith(`${shelf}:${prefix}`)).map(([, value]) => value as T);
    const database = await this.database;
    if (!database) return kept;
    return new Promise((resolve) => {
      const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
      const request = database.transaction(shelf).objectStore(shelf).getAll(range);
      request.onsuccess = () => resolve([...(request.result as T[]), ...kept]);
      request.onerror = () => resolve(kept);
    });
  }
}

export const shelf = new DeviceShelf();
