import type { ProblemBody } from "./types";

/**
 * What went wrong, what was kept and what to do next, in words for a person.
 *
 * The server's sentences are shown as they come. A problem the page itself met (`local`) carries only
 * its code; `ProblemNotice` takes its three sentences from the locale (`common.problems.<code>`).
 */
export class Problem extends Error {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly kept: string;
  readonly next: string;
  readonly field: string | null;
  readonly params: Record<string, unknown>;
  readonly local: boolean;

  constructor(body: Partial<ProblemBody> & { code: string }, { local = false } = {}) {
    super(body.title || body.code);
    this.name = "Problem";
    this.code = body.code;
    this.status = body.status ?? 0;
    this.title = body.title ?? "";
    this.kept = body.kept ?? "";
    this.next = body.next ?? "";
    this.field = body.field ?? null;
    this.params = body.params ?? {};
    this.local = local || !body.title;
  }

  static local(code: string, params: Record<string, unknown> = {}): Problem {
    return new Problem({ code, params }, { local: true });
  }

  /** Any thrown value as a Problem, so that no page ever shows a parser's words. */
  static from(error: unknown): Problem {
    return error instanceof Problem ? error : Problem.local("unexpected");
  }

  /** True when the line failed, not the request: trying again later is enough. */
  get passing(): boolean {
    return ["offline", "unreachable", "too-slow"].includes(this.code) || this.status === 503;
  }
}
