import { expect, test } from "vitest";
import { parseCheckpoint } from "./note";
import { type Trust, notesOf, witnessesOf } from "./office";

/** The example of docs/ledger-format.md: a checkpoint with a witness's line under it. */
const note = "office.example/ledger\n2\ntqn0wcbuVYmnRMPJ37ZJEaUxekY0glp5dkTzkusjv7o=\n\n— office.example/ledger 4aDiNlftaHvpJPidf8BHxtLtvzFbkIUEFpid2BYZPi+Ul/1pJt5ekHuGI9F7TcHeTZDep9LAKUIX+1BQCCZFhWvu0AY=\n— witness.example/w1 /3YfmwAAAABrBEbhp0zfUwL4IN7Q8GhTXw0pPR2f6kbMABBH2OWiq0e/C/qQXrfF730ahJXtaGI7WRycRHMUCIiwregq7Q0H6U/6DQ==\n";
const trust: Trust = {
  demo: false,
  office: { name_zh: "", name_en: "" },
  ledger: { origin: "office.example/ledger", vkeys: ["office.example/ledger+e1a0e236+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"] },
  witnesses: [
    { name: "W1", vkey: "witness.example/w1+ff761f9b+BBNd0PbLfw2dWkRKG/lDaOK0lpyyYe3I+oIDcgpeMaxw" },
    { name: "W1/mldsa44", vkey: "witness.example/w1+00000001+Bg==" },
    { name: "W2", vkey: "other.example/w2+00000002+Bg==" },
  ],
};

test("a witness is named once, with whether a line of its stands there", () => {
  expect(witnessesOf(trust, parseCheckpoint(note))).toEqual([
    { name: "witness.example/w1", signed: true },
    { name: "other.example/w2", signed: false },
  ]);
});

test("an office with witnesses is not called unwitnessed, and one without is", () => {
  expect(notesOf(trust)).toEqual(["own-time"]);
  expect(notesOf({ ...trust, witnesses: [] })).toContain("no-witness");
});
