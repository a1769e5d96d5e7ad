import { defineStore } from "pinia";
import { ref } from "vue";
import { api } from "../api/client";
import { Problem } from "../api/problem";
import type { Applicant } from "../api/types";

/** Who is signed in on this device as an applicant; null when nobody is. */
export const useApplicant = defineStore("applicant", () => {
  const applicant = ref<Applicant | null>(null);
  const known = ref(false);

  /** Asks the server once; a 401 is an answer, any other problem is the caller's to show. */
  async function look(): Promise<Applicant | null> {
    if (known.value) return applicant.value;
    try {
      const me = await api.get<Applicant | { applicant: Applicant }>("/api/applicant/me");
      applicant.value = "applicant" in me ? me.applicant : me;
    } catch (error) {
      const problem = Problem.from(error);
      if (problem.status !== 401 && problem.status !== 403) throw problem;
      applicant.value = null;
    }
    known.value = true;
    return applicant.value;
  }

  const askCode = (phone: string) => api.post<{ resend_at: number }>("/api/applicant/codes", { phone });

  async function enter(phone: string, code: string) {
    const answer = await api.post<{ applicant: Applicant }>("/api/applicant/sessions", { phone, code });
    applicant.value = answer.applicant;
    known.value = true;
  }

  async function leave() {
    await api.delete("/api/applicant/sessions");
    applicant.value = null;
  }

  return { applicant, known, look, askCode, enter, leave };
});
