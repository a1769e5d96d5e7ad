import * as asn1js from "asn1js";
import * as pkijs from "pkijs";
import { fromPem, toPem, type Bytes } from "./bytes";

const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;

/**
 * The applicant's key: made in this page, never leaves it, gone with it.
 *
 * Non-extractable P-256 (WebCrypto). The certificate, once the office has issued it, covers this one session's acts.
 * A page that was closed makes a new key; the server records that it did.
 */
export class SignerKey {
  private certificate_pem: string | null = null;

  private constructor(private readonly pair: CryptoKeyPair) {}

  static async make(): Promise<SignerKey> {
    return new SignerKey(await crypto.subtle.generateKey(CURVE, false, ["sign", "verify"]));
  }

  /** PKCS #10 request (RFC 2986), PEM. The subject only names the session: the office decides what the certificate says. */
  async request(session: string): Promise<string> {
    const engine = new pkijs.CryptoEngine({ name: "webcrypto", crypto });
    const csr = new pkijs.CertificationRequest();
    csr.version = 0;
    csr.subject.typesAndValues.push(
      new pkijs.AttributeTypeAndValue({ type: "2.5.4.3", value: new asn1js.Utf8String({ value: `session ${session}` }) }),
    );
    csr.attributes = [];
    await csr.subjectPublicKeyInfo.importKey(this.pair.publicKey, engine);
    await csr.sign(this.pair.privateKey, "SHA-256", engine);
    return toPem(new Uint8Array(csr.toSchema().toBER(false)), "CERTIFICATE REQUEST");
  }

  certified(certificate_pem: string): void {
    this.certificate_pem = certificate_pem;
  }

  get isCertified(): boolean {
    return this.certificate_pem !== null;
  }

  /** DER of the certificate issued to this key; null before. */
  get certificate(): Bytes | null {
    return this.certificate_pem === null ? null : fromPem(this.certificate_pem, "CERTIFICATE");
  }

  /** Raw r || s (64 bytes) over SHA-256 of `bytes`. */
  async sign(bytes: Bytes): Promise<Bytes> {
    return new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, this.pair.privateKey, bytes));
  }

  /** Whether the private key could be copied out; never true. */
  get extractable(): boolean {
    return this.pair.privateKey.extractable;
  }

  get publicKey(): CryptoKey {
    return this.pair.publicKey;
  }
}
