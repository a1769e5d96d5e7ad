import { onScopeDispose, ref, shallowRef, watch } from "vue";
import { useI18n } from "vue-i18n";
import { Problem } from "../api/problem";

/**
 * Something fetched for a page: its data, the problem that kept it away, and whether it is on its way.
 *
 * The server's sentences come in the reader's language, so another language fetches it anew.
 */
export function useResource<T>(load: (signal: AbortSignal) => Promise<T>, { immediate = true } = {}) {
  const data = shallowRef<T | null>(null);
  const problem = shallowRef<Problem | null>(null);
  const loading = ref(false);
  let current: AbortController | null = null;
  const { locale } = useI18n();

  /** Fetches again; what is shown stays until the new answer is there. The newest call wins. */
  async function reload(): Promise<T | null> {
    current?.abort();
    const mine = (current = new AbortController());
    loading.value = true;
    try {
      const fresh = await load(mine.signal);
      if (mine === current) {
        data.value = fresh;
        problem.value = null;
      }
      return fresh;
    } catch (error) {
      if (mine === current) problem.value = Problem.from(error);
      return null;
    } finally {
      if (mine === current) loading.value = false;
    }
  }

  onScopeDispose(() => current?.abort());
  watch(locale, () => current && void reload());
  if (immediate) void reload();
  return { data, problem, loading, reload };
}

/** One act under way at a time: `run` ignores a second press and keeps the problem in words. */
export function useAct() {
  const busy = ref(false);
  const problem = shallowRef<Problem | null>(null);

  async function run<T>(act: () => Promise<T>): Promise<T | null> {
    if (busy.value) return null;
    busy.value = true;
    problem.value = null;
    try {
      return await act();
    } catch (error) {
      problem.value = Problem.from(error);
      return null;
    } finally {
      busy.value = false;
    }
  }
  return { busy, problem, run };
}
