/** The canonical zip of an evidence bundle (docs/bundle-format.md): taken apart, packed again, held to be the same bytes. */

export class ArchiveError extends Error {}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,3}$/;
const MOST_ENTRIES = 500;
const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c >>> 0;
});

export function crc32(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < data.length; i++) crc = TABLE[(crc ^ data[i]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const order = ([a]: [string, unknown], [b]: [string, unknown]) => (a === "mimetype" ? -1 : b === "mimetype" ? 1 : a < b ? -1 : 1);

/** The one archive of these files. */
export function pack(files: ReadonlyMap<string, Uint8Array>): Uint8Array<ArrayBuffer> {
  const entries = [...files].sort(order).map(([name, data]) => ({ name: new TextEncoder().encode(name), data, crc: crc32(data) }));
  const size = entries.reduce((sum, { name, data }) => sum + 76 + 2 * name.length + data.length, 22);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let at = 0;
  const words = (...pairs: [16 | 32, number][]) => {
    for (const [bits, value] of pairs) {
      if (bits === 16) view.setUint16(at, value, true);
      else view.setUint32(at, value, true);
      at += bits / 8;
    }
  };
  const put = (bytes: Uint8Array) => {
    out.set(bytes, at);
    at += bytes.length;
  };
  const offsets = entries.map(({ name, data, crc }) => {
    const start = at;
    words([32, 0x04034b50], [16, 10], [16, 0], [16, 0], [16, 0], [16, 0x21], [32, crc], [32, data.length], [32, data.length], [16, name.length], [16, 0]);
    put(name);
    put(data);
    return start;
  });
  const directory = at;
  entries.forEach(({ name, data, crc }, i) => {
    words([32, 0x02014b50], [16, 10], [16, 10], [16, 0], [16, 0], [16, 0], [16, 0x21], [32, crc], [32, data.length], [32, data.length]);
    words([16, name.length], [16, 0], [16, 0], [16, 0], [16, 0], [32, 0], [32, offsets[i]!]);
    put(name);
  });
  const length = at - directory;
  words([32, 0x06054b50], [16, 0], [16, 0], [16, entries.length], [16, entries.length], [32, length], [32, directory], [16, 0]);
  return out;
}

/** The files of a canonical archive. Throws ArchiveError for anything else, wherever a byte was changed. */
export function unpack(archive: Uint8Array): Map<string, Uint8Array<ArrayBuffer>> {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  let at = 0;
  while (at + 30 <= archive.length && view.getUint32(at, true) === 0x04034b50) {
    const [size, named] = [view.getUint32(at + 22, true), view.getUint16(at + 26, true)];
    const name = String.fromCharCode(...archive.subarray(at + 30, at + 30 + Math.min(named, 500)));
    const start = at + 30 + named;
    if (files.has(name) || !NAME.test(name) || files.size >= MOST_ENTRIES || start + size > archive.length) throw new ArchiveError("no bundle");
    files.set(name, new Uint8Array(archive.subarray(start, start + size)));
    at = start + size;
  }
  if (files.size === 0) throw new ArchiveError("no archive");
  const again = pack(files);
  if (again.length !== archive.length || again.some((byte, i) => byte !== archive[i])) throw new ArchiveError("a byte was changed");
  return files;
}
