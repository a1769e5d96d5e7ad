import * as asn1js from "asn1js";
import { Problem } from "../api/problem";
import { sha256, toHex, type Bytes } from "./bytes";

/** Object identifiers of the signed attributes (RFC 5652 11, RFC 5035 3). */
const MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
const SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47";

/** What the bytes to be signed say, as far as the page judges them before signing. */
export interface SignedAttributes {
  message_digest: string;
  /** SHA-256 of the signer's certificate, when the attributes bind one. */
  certificate_digest: string | null;
}

/**
 * Reads a DER SET OF Attribute (RFC 5652 5.3).
 *
 * Fails closed: exactly one messageDigest with exactly one 32-byte value, nothing behind the set. Throws
 * Problem `signing-attributes`.
 */
export function readSignedAttributes(der: Bytes): SignedAttributes {
  const bad = () => Problem.local("signing-attributes");
  const parsed = asn1js.fromBER(der);
  if (parsed.offset !== der.byteLength || !(parsed.result instanceof asn1js.Set)) throw bad();
  let digest: string | null = null;
  let certificate: string | null = null;
  for (const attribute of parsed.result.valueBlock.value) {
    if (!(attribute instanceof asn1js.Sequence)) throw bad();
    const [type, values] = attribute.valueBlock.value;
    if (!(type instanceof asn1js.ObjectIdentifier) || !(values instanceof asn1js.Set)) throw bad();
    const oid = type.valueBlock.toString();
    if (oid !== MESSAGE_DIGEST && oid !== SIGNING_CERTIFICATE_V2) continue;
    const [value, ...more] = values.valueBlock.value;
    if (more.length || !value) throw bad();
    if (oid === MESSAGE_DIGEST) {
      if (digest !== null || !(value instanceof asn1js.OctetString)) throw bad();
      const bytes = value.valueBlock.valueHexView;
      if (bytes.length !== 32) throw bad();
      digest = toHex(bytes);
    } else {
      if (certificate !== null) throw bad();
      certificate = certificateDigest(value);
      if (certificate === null) throw bad();
    }
  }
  if (digest === null) throw bad();
  return { message_digest: digest, certificate_digest: certificate };
}

/** certHash of the first ESSCertIDv2 when its algorithm is SHA-256 (the default, or named); else null. */
function certificateDigest(value: asn1js.AsnType): string | null {
  const first = (node: unknown) => (node instanceof asn1js.Sequence ? node.valueBlock.value[0] : undefined);
  const identity = first(first(value));
  if (!(identity instanceof asn1js.Sequence)) return null;
  const fields = identity.valueBlock.value;
  let at = 0;
  if (fields[0] instanceof asn1js.Sequence) {
    const algorithm = fields[0].valueBlock.value[0];
    if (!(algorithm instanceof asn1js.ObjectIdentifier)) return null;
    if (algorithm.valueBlock.toString() !== "2.16.840.1.101.3.4.2.1") return null;
    at = 1;
  }
  const hash = fields[at];
  return hash instanceof asn1js.OctetString ? toHex(hash.valueBlock.valueHexView) : null;
}

/**
 * The digest of the content this page itself fetched, after checking that the bytes to be signed speak of
 * nothing else and of nobody else.
 *
 * Throws Problem `signing-other-content` when the attributes (or the server's own words) name another digest, and
 * `signing-other-key` when they name another certificate than the one issued to this page's key.
 */
export async function checkIntent(
  intent: { content_sha256: string; signed_attrs: Bytes },
  content: Bytes,
  certificate: Bytes | null,
): Promise<string> {
  const attributes = readSignedAttributes(intent.signed_attrs);
  const digest = await sha256(content);
  if (digest !== intent.content_sha256 || digest !== attributes.message_digest)
    throw Problem.local("signing-other-content");
  if (certificate && attributes.certificate_digest && attributes.certificate_digest !== (await sha256(certificate)))
    throw Problem.local("signing-other-key");
  return digest;
}

/**
 * What is signed is the document that was read, with the signature's own entries behind it: `content` begins with
 * `document` byte for byte, and that is the file of digest `sha256_hex`. Throws Problem `signing-other-content`.
 */
export async function requireBegins(content: Bytes, document: Bytes, sha256_hex: string): Promise<void> {
  if ((await sha256(document)) !== sha256_hex || content.length < document.length)
    throw Problem.local("signing-other-content");
  for (let i = 0; i < document.length; i++)
    if (content[i] !== document[i]) throw Problem.local("signing-other-content");
}
