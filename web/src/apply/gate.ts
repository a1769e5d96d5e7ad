import { watch, type Ref } from "vue";
import { useRoute, useRouter } from "vue-router";
import type { Problem } from "../api/problem";

/** Sends a person whose sign-in is missing or over to the sign-in page, and back here afterwards. */
export function useLoginGate(problem: Readonly<Ref<Problem | null>>) {
  const router = useRouter();
  const route = useRoute();
  watch(problem, (now) => {
    if (now?.status === 401) void router.replace({ name: "login", query: { then: route.fullPath } });
  });
}
