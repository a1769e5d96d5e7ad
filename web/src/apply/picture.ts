/** What a picture taken on the spot is like, judged before it is sent: light and sharpness of a small grey copy. */

export interface PictureLook {
  /** Mean luma, 0..255. */
  light: number;
  /** Variance of the Laplacian of the grey picture: small means blurred or too far. */
  sharpness: number;
  /** Share of pixels that are burnt out (glare). */
  glare: number;
}

export type PictureAdvice = "dark" | "glare" | "closer" | "good";

/** `rgba` is width x height x 4. */
export function look(rgba: Uint8ClampedArray | Uint8Array, width: number, height: number): PictureLook {
  const grey = new Float32Array(width * height);
  let sum = 0;
  let burnt = 0;
  for (let i = 0; i < grey.length; i++) {
    const y = 0.299 * rgba[i * 4]! + 0.587 * rgba[i * 4 + 1]! + 0.114 * rgba[i * 4 + 2]!;
    grey[i] = y;
    sum += y;
    if (y > 250) burnt++;
  }
  let total = 0;
  let squares = 0;
  let n = 0;
  for (let row = 1; row < height - 1; row++) {
    for (let column = 1; column < width - 1; column++) {
      const i = row * width + column;
      const edge = 4 * grey[i]! - grey[i - 1]! - grey[i + 1]! - grey[i - width]! - grey[i + width]!;
      total += edge;
      squares += edge * edge;
      n++;
    }
  }
  const mean = n ? total / n : 0;
  return { light: sum / grey.length, sharpness: n ? squares / n - mean * mean : 0, glare: burnt / grey.length };
}

export function advise(seen: PictureLook): PictureAdvice {
  if (seen.light < 60) return "dark";
  if (seen.glare > 0.2) return "glare";
  return seen.sharpness < 40 ? "closer" : "good";
}
