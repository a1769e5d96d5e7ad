import { defineStore } from "pinia";
import { ref } from "vue";
import { api } from "../api/client";
import { Problem } from "../api/problem";
import type { Staff } from "../api/types";

/** Who is signed in at the desk on this device; null when nobody is. */
export const useStaff = defineStore("staff", () => {
  const staff = ref<Staff | null>(null);
  const known = ref(false);

  /** Asks the server once; a 401 is an answer, any other problem is the caller's to show. */
  async function look(): Promise<Staff | null> {
    if (known.value) return staff.value;
    try {
      const me = await api.get<Staff | { staff: Staff }>("/api/staff/me");
      staff.value = "staff" in me ? me.staff : me;
    } catch (error) {
      const problem = Problem.from(error);
      if (problem.status !== 401 && problem.status !== 403) throw problem;
      staff.value = null;
    }
    known.value = true;
    return staff.value;
  }

  async function enter(login: string, password: string, totp: string) {
    staff.value = (await api.post<{ staff: Staff }>("/api/staff/sessions", { login, password, totp })).staff;
    known.value = true;
  }

  async function leave() {
    await api.delete("/api/staff/sessions");
    staff.value = null;
  }

  return { staff, known, look, enter, leave };
});
