/**
 * Where the writing on a page ends, as a share of its height: the last line above the foot, where a name goes.
 *
 * `pixels` are RGBA rows of a picture of the page. A foot line is told by the white above it: at least `FOOT` of the
 * height, more than lies between lines of a text. 1 when nothing is written, so that the page's end is shown.
 */
const DARK = 150; // of 255: print, not a watermark
const FOOT = 0.04;

export function endOfWriting(pixels: Uint8ClampedArray, width: number, height: number): number {
  const written = (y: number) => {
    for (let x = 0; x < width; x++) if (pixels[(y * width + x) * 4 + 1]! < DARK) return true;
    return false;
  };
  const above = (y: number, stop: (y: number) => boolean) => {
    while (y >= 0 && !stop(y)) y--;
    return y;
  };
  const last = above(height - 1, written);
  if (last < 0) return 1;
  const white = above(last, (y) => !written(y));
  const before = above(white, written);
  const foot = before >= 0 && white - before >= FOOT * height;
  return ((foot ? before : last) + 1) / height;
}
