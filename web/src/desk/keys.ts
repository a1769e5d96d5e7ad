/** Single keys of a desk page; silent while somebody types. Returns what takes them away again. */
export function useKeys(keys: Record<string, () => unknown>): () => void {
  function press(event: KeyboardEvent) {
    const typing = event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    const act = keys[event.key] ?? keys[event.key.toLowerCase()];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing && !/^F\d+$/.test(event.key)) return;
    if (event.key === "Enter" && event.target instanceof HTMLElement && event.target.closest("a, button")) return;
    event.preventDefault();
    act();
  }
  document.addEventListener("keydown", press);
  return () => document.removeEventListener("keydown", press);
}
