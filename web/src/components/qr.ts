/**
 * QR code (ISO/IEC 18004) of a short text: byte mode, level M, versions 1 to 10, mask 0 to 7 by penalty.
 *
 * Enough for the address of a page (213 bytes); throws RangeError beyond.
 */

// Versions 1..10, level M: EC codewords per block; blocks in group 1, data codewords of each; group 2 likewise (table 9).
const BLOCKS: readonly (readonly [number, number, number, number, number])[] = [
  [10, 1, 16, 0, 0], [16, 1, 28, 0, 0], [26, 1, 44, 0, 0], [18, 2, 32, 0, 0], [24, 2, 43, 0, 0],
  [16, 4, 27, 0, 0], [18, 4, 31, 0, 0], [22, 2, 38, 2, 39], [22, 3, 36, 2, 37], [26, 4, 43, 1, 44],
];
const ALIGN: readonly (readonly number[])[] = [
  [], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50],
];

const EXP = new Uint8Array(512);
const LOG = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; i++) {
  EXP[i] = EXP[i + 255] = x;
  LOG[x] = i;
  x = (x << 1) ^ (x & 0x80 ? 0x11d : 0);
}
const times = (a: number, b: number) => (a && b ? EXP[LOG[a]! + LOG[b]!]! : 0);

function remainder(data: Uint8Array, degree: number): Uint8Array {
  let generator = [1];
  for (let i = 0; i < degree; i++) {
    const next = new Array<number>(generator.length + 1).fill(0);
    generator.forEach((c, j) => {
      next[j]! ^= c;
      next[j + 1]! ^= times(c, EXP[i]!);
    });
    generator = next;
  }
  const rest = new Uint8Array(degree);
  for (const byte of data) {
    const factor = byte ^ rest[0]!;
    rest.copyWithin(0, 1);
    rest[degree - 1] = 0;
    for (let j = 0; j < degree; j++) rest[j]! ^= times(generator[j + 1]!, factor);
  }
  return rest;
}

function codewords(bytes: Uint8Array, version: number): Uint8Array | null {
  const [ec, n1, d1, n2, d2] = BLOCKS[version - 1]!;
  const capacity = n1 * d1 + n2 * d2;
  const countBits = version < 10 ? 8 : 16;
  if (4 + countBits + bytes.length * 8 > capacity * 8) return null;
  const bits: number[] = [];
  const put = (value: number, length: number) => {
    for (let i = length - 1; i >= 0; i--) bits.push((value >> i) & 1);
  };
  put(4, 4);
  put(bytes.length, countBits);
  for (const byte of bytes) put(byte, 8);
  put(0, Math.min(4, capacity * 8 - bits.length));
  while (bits.length % 8) bits.push(0);
  const data = new Uint8Array(capacity);
  for (let i = 0; i < capacity; i++)
    data[i] = i * 8 < bits.length ? parseInt(bits.slice(i * 8, i * 8 + 8).join(""), 2) : (i - bits.length / 8) % 2 ? 0x11 : 0xec;
  const blocks: { data: Uint8Array; ec: Uint8Array }[] = [];
  for (let b = 0, at = 0; b < n1 + n2; b++) {
    const length = b < n1 ? d1 : d2;
    const block = data.slice(at, at + length);
    at += length;
    blocks.push({ data: block, ec: remainder(block, ec) });
  }
  const out: number[] = [];
  for (let i = 0; i < Math.max(d1, d2); i++) for (const block of blocks) if (i < block.data.length) out.push(block.data[i]!);
  for (let i = 0; i < ec; i++) for (const block of blocks) out.push(block.ec[i]!);
  return Uint8Array.from(out);
}

const MASKS: readonly ((r: number, c: number) => boolean)[] = [
  (r, c) => (r + c) % 2 === 0, (r) => r % 2 === 0, (_r, c) => c % 3 === 0, (r, c) => (r + c) % 3 === 0,
  (r, c) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2 === 0, (r, c) => ((r * c) % 2) + ((r * c) % 3) === 0,
  (r, c) => (((r * c) % 2) + ((r * c) % 3)) % 2 === 0, (r, c) => (((r + c) % 2) + ((r * c) % 3)) % 2 === 0,
];

type Grid = (boolean | null)[][];

function frame(version: number): Grid {
  const n = 17 + 4 * version;
  const grid: Grid = Array.from({ length: n }, () => new Array<boolean | null>(n).fill(null));
  const square = (row: number, column: number, radius: number, dark: (d: number) => boolean) => {
    for (let r = -radius; r <= radius; r++)
      for (let c = -radius; c <= radius; c++)
        if (grid[row + r]?.[column + c] !== undefined) grid[row + r]![column + c] = dark(Math.max(Math.abs(r), Math.abs(c)));
  };
  for (const [r, c] of [[3, 3], [3, n - 4], [n - 4, 3]] as const) square(r, c, 4, (d) => d !== 2 && d !== 4);
  const centres = ALIGN[version - 1]!;
  for (const r of centres)
    for (const c of centres) if (grid[r]![c] === null) square(r, c, 2, (d) => d !== 1);
  for (let i = 8; i < n - 8; i++) {
    grid[6]![i] ??= i % 2 === 0;
    grid[i]![6] ??= i % 2 === 0;
  }
  return grid;
}

function bch(value: number, generator: number, bits: number): number {
  let rest = value << bits;
  for (let i = 31 - Math.clz32(rest); i >= bits; i--) if (rest & (1 << i)) rest ^= generator << (i - bits);
  return (value << bits) | rest;
}

function inform(grid: Grid, version: number, mask: number) {
  const n = grid.length;
  const format = bch(mask, 0x537, 10) ^ 0x5412; // level M is 00
  for (let i = 0; i < 15; i++) {
    const dark = ((format >> i) & 1) === 1;
    const [r, c] = i < 6 ? [i, 8] : i < 8 ? [i + 1, 8] : i === 8 ? [8, 7] : [8, 14 - i];
    grid[r]![c] = dark;
    if (i < 8) grid[8]![n - 1 - i] = dark;
    else grid[n - 15 + i]![8] = dark;
  }
  grid[n - 8]![8] = true;
  if (version < 7) return;
  const code = bch(version, 0x1f25, 12);
  for (let i = 0; i < 18; i++) {
    const dark = ((code >> i) & 1) === 1;
    grid[Math.floor(i / 3)]![n - 11 + (i % 3)] = dark;
    grid[n - 11 + (i % 3)]![Math.floor(i / 3)] = dark;
  }
}

function fill(grid: Grid, words: Uint8Array, mask: (r: number, c: number) => boolean) {
  const n = grid.length;
  let bit = 0;
  for (let right = n - 1, up = true; right > 0; right -= 2, up = !up) {
    if (right === 6) right--;
    for (let step = 0; step < n; step++) {
      const r = up ? n - 1 - step : step;
      for (const c of [right, right - 1]) {
        if (grid[r]![c] !== null) continue;
        const dark = bit < words.length * 8 && ((words[bit >> 3]! >> (7 - (bit & 7))) & 1) === 1;
        grid[r]![c] = dark !== mask(r, c);
        bit++;
      }
    }
  }
}

/** Runs of five and more, and 2 x 2 blocks (penalties N1 and N2): enough to choose a calm mask. */
function penalty(grid: Grid): number {
  let sum = 0;
  const n = grid.length;
  for (let i = 0; i < n; i++)
    for (const at of [(j: number) => grid[i]![j], (j: number) => grid[j]![i]]) {
      let run = 1;
      for (let j = 1; j <= n; j++) {
        if (j < n && at(j) === at(j - 1)) run++;
        else {
          if (run >= 5) sum += run - 2;
          run = 1;
        }
      }
    }
  for (let r = 1; r < n; r++)
    for (let c = 1; c < n; c++)
      if (grid[r]![c] === grid[r - 1]![c] && grid[r]![c] === grid[r]![c - 1] && grid[r]![c] === grid[r - 1]![c - 1]) sum += 3;
  return sum;
}

/** The modules of the code, true is dark, without the quiet zone. */
export function qrModules(text: string): boolean[][] {
  const bytes = new TextEncoder().encode(text);
  for (let version = 1; version <= BLOCKS.length; version++) {
    const words = codewords(bytes, version);
    if (!words) continue;
    let best: Grid | null = null;
    let least = Infinity;
    MASKS.forEach((mask, number) => {
      const grid = frame(version);
      inform(grid, version, number);
      fill(grid, words, mask);
      const cost = penalty(grid);
      if (cost < least) [least, best] = [cost, grid];
    });
    return best! as boolean[][];
  }
  throw new RangeError("the text is too long for this QR code");
}
