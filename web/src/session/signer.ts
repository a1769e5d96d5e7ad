import { ref, shallowRef } from "vue";
import { api } from "../api/client";
import { Problem } from "../api/problem";
import type { Act, SessionView, Stroke } from "../api/types";
import { certify, prepare, sign, type ShownDocument } from "../signing/acts";
import { SignerKey } from "../signing/key";

/** With the document come the handwriting and the file whose pages were shown. */
export interface Given {
  strokes?: Stroke[];
  shown?: ShownDocument;
}

export type SigningPhase = "idle" | "key" | "checking" | "signing";

/**
 * The applicant's pen in this session: key, check, signature, in that order, one act at a time.
 *
 * The key lives in this page only. After a reload, or when the office no longer knows it (a session that was
 * interrupted), a new one is made and certified.
 */
export function useSigner(session: string) {
  const phase = ref<SigningPhase>("idle");
  const problem = shallowRef<Problem | null>(null);
  /** Digest of what was signed last, as this page computed it. */
  const digest = ref<string | null>(null);
  let key: Promise<SignerKey> | null = null;

  async function ready(): Promise<SignerKey> {
    key ??= SignerKey.make();
    const made = await key;
    await certify(api, session, made);
    return made;
  }

  /** Makes and certifies the key ahead of the signature; a failure here is told when signing. */
  async function warm(): Promise<void> {
    if (phase.value !== "idle") return;
    await ready().catch(() => undefined);
  }

  function forget() {
    key = null;
  }

  async function signAct(act: Act, given: Given = {}): Promise<SessionView | null> {
    if (phase.value !== "idle") return null;
    problem.value = null;
    try {
      return await attempt(act, given);
    } catch (error) {
      const met = Problem.from(error);
      if (met.code !== "key-missing" && met.code !== "signing-other-key") {
        problem.value = met;
        return null;
      }
      forget();
      try {
        return await attempt(act, given);
      } catch (again) {
        problem.value = Problem.from(again);
        return null;
      }
    } finally {
      phase.value = "idle";
    }
  }

  async function attempt(act: Act, given: Given): Promise<SessionView> {
    phase.value = "key";
    const made = await ready();
    phase.value = "checking";
    const checked = await prepare(api, session, act, made, given);
    digest.value = checked.digest;
    phase.value = "signing";
    return sign(api, session, made, checked);
  }

  return { phase, problem, digest, warm, forget, signAct };
}

export type Signer = ReturnType<typeof useSigner>;
