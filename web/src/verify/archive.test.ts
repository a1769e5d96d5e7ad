// @vitest-environment node
import { describe, expect, it } from "vitest";
import { ArchiveError, crc32, pack, unpack } from "./archive";
import { canonical, parseCanonical } from "./canonical";

const text = (words: string) => new TextEncoder().encode(words);
const files = new Map([
  ["mimetype", text("application/vnd.etsi.asic-e+zip")],
  ["a/b.txt", text("hello")],
  ["manifest.json", text("{}")],
]);

describe("the canonical archive", () => {
  it("comes apart as it was packed, mimetype first", () => {
    const packed = pack(files);
    expect([...unpack(packed)].map(([name]) => name)).toEqual(["mimetype", "a/b.txt", "manifest.json"]);
    expect(new TextDecoder().decode(unpack(packed).get("a/b.txt"))).toBe("hello");
  });

  it("is found changed wherever one byte was changed", () => {
    const packed = pack(files);
    for (let at = 0; at < packed.length; at++) {
      const changed = packed.slice();
      changed[at]! ^= 1 + (at % 255);
      expect(() => unpack(changed), `byte ${at}`).toThrow(ArchiveError);
    }
  });

  it("takes no bytes before or after", () => {
    const packed = pack(files);
    expect(() => unpack(Uint8Array.of(...packed, 0))).toThrow(ArchiveError);
    expect(() => unpack(Uint8Array.of(0, ...packed))).toThrow(ArchiveError);
    expect(() => unpack(new Uint8Array())).toThrow(ArchiveError);
    expect(() => unpack(pack(new Map([["../x", text("x")]])))).toThrow(ArchiveError);
  });

  it("sums as everybody does", () => {
    expect(crc32(text("123456789"))).toBe(0xcbf43926);
  });
});

describe("canonical JSON", () => {
  it("sorts keys and keeps characters as they are", () => {
    expect(canonical({ b: [1, null, true], a: "公证\n" })).toBe('{"a":"公证\\n","b":[1,null,true]}');
  });

  it("refuses other spellings", () => {
    for (const other of ['{"b":1,"a":2}', '{"a": 1}', '{"a":1,"a":1}', "1.5", "1e3", "\ufeff{}"]) expect(() => parseCanonical(text(other))).toThrow();
    expect(parseCanonical(text('{"a":2,"b":1}'))).toEqual({ a: 2, b: 1 });
  });
});
