/** The office, its languages, and how it says no. */

export interface Config {
  office: { name_zh: string; name_en: string; phone: string; hours_zh: string; hours_en: string };
  demo: boolean;
  stand_ins: string[];
  public_url: string;
  max_upload_bytes: number;
  languages: Language[];
  /** The office's clock, minutes east of UTC; the same all year. */
  utc_offset_minutes: number;
  now: number;
}

export interface ProblemBody {
  type?: string;
  code: string;
  status: number;
  title: string;
  kept?: string;
  next?: string;
  field?: string | null;
  params?: Record<string, unknown>;
}

export type Language = "zh-CN" | "en";
export type Bilingual = Record<Language, string>;
