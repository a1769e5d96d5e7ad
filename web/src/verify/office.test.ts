import { expect, test } from "vitest";
import { type Trust, notesOf } from "./office";

const trust: Trust = {
  demo: false,
  office: { name_zh: "", name_en: "" },
  ledger: { origin: "office.example/ledger", vkeys: [] },
  witnesses: [{ name: "W1", vkey: "witness.example/w1+ff761f9b+BBNd0PbLfw2dWkRKG/lDaOK0lpyyYe3I+oIDcgpeMaxw" }],
};

test("an office with witnesses is not called unwitnessed, and one without is", () => {
  expect(notesOf(trust)).toEqual(["own-time"]);
  expect(notesOf({ ...trust, witnesses: [] })).toContain("no-witness");
});
