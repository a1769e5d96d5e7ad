import { defineStore } from "pinia";
import { ref, shallowRef } from "vue";
import { api } from "../api/client";
import type { Case, Matter } from "../api/types";

/** The one case the applicant is working on, and the matter (rule pack) it follows. */
export const useCase = defineStore("case", () => {
  const current = ref<Case | null>(null);
  const matter = shallowRef<Matter | null>(null);

  async function load(id: string): Promise<void> {
    const fresh = await api.get<Case>(`/api/cases/${id}`);
    if (matter.value?.id !== fresh.matter) matter.value = await api.get<Matter>(`/api/matters/${fresh.matter}`);
    current.value = fresh;
  }

  function replace(fresh: Case) {
    current.value = fresh;
  }

  /** Posts an act on the case and takes the case it answers with. */
  async function act(path: string, body: unknown = {}): Promise<Case> {
    const id = current.value!.id;
    const fresh = await api.post<Case>(`/api/cases/${id}/${path}`, body);
    if (fresh && typeof fresh === "object" && "state" in fresh) current.value = fresh;
    else await load(id);
    return current.value!;
  }

  return { current, matter, load, replace, act };
});
