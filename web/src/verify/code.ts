/** What people type or scan: a certificate's number, its code, or the address in its QR. */

/** The code in a QR's text: an address ending in /v/<code>. Whose address it is does not matter: the code is asked here. */
export function codeIn(text: string): string | null {
  const match = /\/v\/([A-Za-z0-9-]{6,64})\/?(?:[?#].*)?$/.exec(text.trim());
  return match ? match[1]! : null;
}

/** A printed number looks like （2026）示远山证字第12号; half-width brackets and spaces are people's spelling of it. */
export function asked(text: string): { number: string } | { code: string } | null {
  const plain = text.trim();
  if (!plain) return null;
  const scanned = codeIn(plain);
  if (scanned) return { code: scanned };
  if (/[第号]/.test(plain)) return { number: plain.replace(/\s/g, "").replaceAll("(", "（").replaceAll(")", "）") };
  return { code: plain.replace(/\s/g, "") };
}
