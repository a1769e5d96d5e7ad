import { Problem } from "../api/problem";
import type { FieldValue, ProblemBody } from "../api/types";

export type FieldState = "saving" | "saved" | "kept";
export type SavedForm = { form: Record<string, FieldValue>; problems: Record<string, ProblemBody> };

export interface SaverParts {
  put: (key: string, value: FieldValue) => Promise<SavedForm>;
  /** Where values wait that have not reached the server (this device, until they have). */
  store: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  place: string;
  onState: (key: string, state: FieldState) => void;
  onSaved: (answer: SavedForm) => void;
  /** A refusal in words about this field; the value stays as typed. */
  onRefused: (key: string, problem: Problem) => void;
  /** Not about a field (signed out, case closed): the page shows it once. */
  onProblem: (problem: Problem) => void;
}

/** The place on this device where the values of a case wait. */
export const placeOf = (caseId: string): string => `farseal-form-${caseId}`;

/** Answers that will not change by asking again: only these let go of a value. */
const FINAL = new Set([400, 403, 404, 409, 422]);
/** How often a save that met another one on the way is said again at once. */
const COLLISIONS = 5;

/**
 * Saves each field as it is left, newest value last, and loses none.
 *
 * A value is written to this device before it is sent and taken off when the server has it; without network it waits
 * ("kept") and goes with the next `flush` (network back, page opened again); so it does while the server is busy,
 * broken or full. Saving the same value twice is harmless, so repeating is safe.
 */
export class FieldSaver {
  private readonly waiting: Map<string, FieldValue>;
  private readonly touched = new Set<string>();
  private running: Promise<void> | null = null;

  constructor(private readonly parts: SaverParts) {
    this.waiting = new Map(Object.entries(this.read()));
  }

  /** Values not yet at the server, to be shown over the server's. */
  get pending(): Record<string, FieldValue> {
    return Object.fromEntries(this.waiting);
  }

  /** A field is being typed in: until it is left, an answer about another field must not replace it. */
  touch(key: string): void {
    this.touched.add(key);
  }

  /** Left without a change worth saving. */
  leave(key: string): void {
    this.touched.delete(key);
  }

  /** Whether the page's value of a field is newer than the server's. */
  isAhead(key: string): boolean {
    return this.touched.has(key) || this.waiting.has(key);
  }

  async change(key: string, value: FieldValue): Promise<void> {
    this.leave(key);
    this.waiting.set(key, value);
    this.write();
    this.parts.onState(key, "saving");
    await this.flush();
  }

  /** Sends what waits, one after another; returns when nothing more can be sent now. */
  async flush(): Promise<void> {
    this.running ??= this.drain().finally(() => (this.running = null));
    await this.running;
  }

  private async drain(): Promise<void> {
    let collisions = 0;
    for (let next = this.first(); next; next = this.first()) {
      const [key, value] = next;
      try {
        const answer = await this.parts.put(key, value);
        this.settle(key, value);
        this.parts.onState(key, "saved");
        this.parts.onSaved(answer);
      } catch (error) {
        const problem = Problem.from(error);
        if (problem.code === "case-changed" && collisions++ < COLLISIONS) continue;
        if (!FINAL.has(problem.status) || problem.code === "case-changed") {
          for (const waiting of this.waiting.keys()) this.parts.onState(waiting, "kept");
          if (!problem.passing) this.parts.onProblem(problem);
          return;
        }
        this.settle(key, value);
        this.parts.onState(key, "kept");
        if (problem.status === 422) this.parts.onRefused(key, problem);
        else this.parts.onProblem(problem);
      }
    }
  }

  private first(): [string, FieldValue] | undefined {
    return this.waiting.entries().next().value;
  }

  /** Takes the value off unless a newer one has come meanwhile. */
  private settle(key: string, value: FieldValue): void {
    if (this.waiting.get(key) === value) this.waiting.delete(key);
    this.write();
  }

  private read(): Record<string, FieldValue> {
    try {
      return JSON.parse(this.parts.store.getItem(this.parts.place) ?? "{}") as Record<string, FieldValue>;
    } catch {
      return {};
    }
  }

  private write(): void {
    if (this.waiting.size === 0) this.parts.store.removeItem(this.parts.place);
    else this.parts.store.setItem(this.parts.place, JSON.stringify(this.pending));
  }
}
