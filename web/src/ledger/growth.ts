import type { Growth } from "./standing";

/** One step of the plot: from when to when (ms), how many entries came, how many there were at its end. */
export interface Column {
  start: number;
  end: number;
  added: number;
  size: number;
}

/** The steps of a growth; the last one ends now, for it is not over. */
export function columnsOf(growth: Growth, now: number): Column[] {
  return growth.sizes.map((size, i) => {
    const start = growth.start + i * growth.step_ms;
    const last = i === growth.sizes.length - 1;
    return { start, end: last ? Math.max(start + 1, Math.min(now, start + growth.step_ms)) : start + growth.step_ms, added: size - (growth.sizes[i - 1] ?? growth.before), size };
  });
}

/** Round numbers from 0 to `top`, at most `parts` apart: 1, 2, 4 or 5 times a power of ten, and whole. */
export function ticksTo(top: number, parts: number): number[] {
  const raw = Math.max(1, top / parts);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 4, 5, 10].map((n) => n * power).find((n) => n >= raw)!;
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, i) => i * step);
}
