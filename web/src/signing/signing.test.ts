// @vitest-environment node
import * as asn1js from "asn1js";
import * as pkijs from "pkijs";
import { describe, expect, it } from "vitest";
import { ApiClient } from "../api/client";
import { Problem } from "../api/problem";
import type { SigningIntent } from "../api/types";
import { certify, prepare, sign } from "./acts";
import { checkIntent, readSignedAttributes, requireBegins } from "./attributes";
import { fromBase64, fromPem, sha256, toBase64, toPem, type Bytes } from "./bytes";
import { SignerKey } from "./key";

const text = (words: string): Bytes => new TextEncoder().encode(words) as Bytes;
const hex = (digest: string): Bytes => Uint8Array.from(digest.match(/../g)!, (pair) => parseInt(pair, 16));

/** Signed attributes as the office makes them (RFC 5652 11): a DER SET of contentType, messageDigest and, if given, ESSCertIDv2. */
function attributes(digests: readonly string[], certificate?: string): Bytes {
  const attribute = (oid: string, value: asn1js.AsnType) =>
    new asn1js.Sequence({ value: [new asn1js.ObjectIdentifier({ value: oid }), new asn1js.Set({ value: [value] })] });
  const set = [attribute("1.2.840.113549.1.9.3", new asn1js.ObjectIdentifier({ value: "1.2.840.113549.1.7.1" }))];
  for (const digest of digests) set.push(attribute("1.2.840.113549.1.9.4", new asn1js.OctetString({ valueHex: hex(digest) })));
  if (certificate) {
    const id = new asn1js.Sequence({ value: [new asn1js.OctetString({ valueHex: hex(certificate) })] });
    set.push(attribute("1.2.840.113549.1.9.16.2.47", new asn1js.Sequence({ value: [new asn1js.Sequence({ value: [id] })] })));
  }
  return new Uint8Array(new asn1js.Set({ value: set }).toBER());
}
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "none",
    (error: unknown) => Problem.from(error).code,
  );

describe("SignerKey", () => {
  it("cannot be copied out", async () => {
    const key = await SignerKey.make();
    expect(key.extractable).toBe(false);
  });

  it("asks for a certificate with a request that proves the key", async () => {
    const key = await SignerKey.make();
    const pem = await key.request("5".repeat(32));
    const csr = pkijs.CertificationRequest.fromBER(fromPem(pem, "CERTIFICATE REQUEST")!);
    expect(await csr.verify(new pkijs.CryptoEngine({ name: "webcrypto", crypto }))).toBe(true);
    expect(csr.subject.typesAndValues[0]!.value.valueBlock.value).toBe(`session ${"5".repeat(32)}`);
  });

  it("signs with raw r and s over SHA-256", async () => {
    const key = await SignerKey.make();
    const signature = await key.sign(text("要签的"));
    expect(signature.length).toBe(64);
    const good = { name: "ECDSA", hash: "SHA-256" };
    expect(await crypto.subtle.verify(good, key.publicKey, signature, text("要签的"))).toBe(true);
    expect(await crypto.subtle.verify(good, key.publicKey, signature, text("别的"))).toBe(false);
  });
});

describe("readSignedAttributes", () => {
  it("finds the digest and the certificate they speak of", () => {
    expect(readSignedAttributes(attributes(["ab".repeat(32)], "cd".repeat(32)))).toEqual({
      message_digest: "ab".repeat(32),
      certificate_digest: "cd".repeat(32),
    });
  });

  it.each([
    ["no digest", attributes([])],
    ["two digests", attributes(["ab".repeat(32), "cd".repeat(32)])],
    ["a digest of another length", attributes(["ab".repeat(20)])],
    ["bytes behind the set", Uint8Array.from([...attributes(["ab".repeat(32)]), 0])],
    ["a sequence", new Uint8Array(new asn1js.Sequence({ value: [] }).toBER())],
    ["nothing", new Uint8Array()],
    ["noise", text("not DER at all")],
  ])("refuses %s", (_name, der) => {
    expect(() => readSignedAttributes(der)).toThrow(Problem);
  });
});

describe("checkIntent", () => {
  it("passes what this page fetched itself", async () => {
    const content = text("委托书");
    const digest = await sha256(content);
    expect(await checkIntent({ content_sha256: digest, signed_attrs: attributes([digest]) }, content, null)).toBe(digest);
  });

  it("refuses attributes over other content", async () => {
    const [shown, other] = [text("委托书"), text("卖身契")];
    const intent = { content_sha256: await sha256(shown), signed_attrs: attributes([await sha256(other)]) };
    expect(await codeOf(checkIntent(intent, shown, null))).toBe("signing-other-content");
  });

  it("refuses a server that names another digest than its attributes", async () => {
    const content = text("委托书");
    const intent = { content_sha256: "00".repeat(32), signed_attrs: attributes([await sha256(content)]) };
    expect(await codeOf(checkIntent(intent, content, null))).toBe("signing-other-content");
  });

  it("refuses attributes that bind another certificate", async () => {
    const content = text("委托书");
    const digest = await sha256(content);
    const intent = { content_sha256: digest, signed_attrs: attributes([digest], "ee".repeat(32)) };
    expect(await codeOf(checkIntent(intent, content, text("my certificate")))).toBe("signing-other-key");
  });
});

describe("requireBegins", () => {
  it("wants the document that was read in front, whole and unchanged", async () => {
    const document = text("%PDF what was read");
    const digest = await sha256(document);
    const content = text("%PDF what was read + field");
    await requireBegins(content, document, digest);
    expect(await codeOf(requireBegins(text("%PDF what was reaD + field"), document, digest))).toBe("signing-other-content");
    expect(await codeOf(requireBegins(text("%PDF"), document, digest))).toBe("signing-other-content");
    expect(await codeOf(requireBegins(content, document, "00".repeat(32)))).toBe("signing-other-content");
  });
});

/** An office of a few lines: certifies anything, offers `content` to be signed, remembers what it was given. */
function office(content: Bytes, attrs: Bytes, digest: string) {
  const got: { csr?: string; signature?: Bytes; calls: string[] } = { calls: [] };
  const api = new ApiClient({
    online: () => true,
    language: () => "zh-CN",
    fetch: async (input, init) => {
      const path = String(input);
      got.calls.push(path);
      const body = init?.body ? (JSON.parse(String(init.body)) as Record<string, string>) : {};
      if (path.endsWith("/key")) {
        got.csr = body.csr_pem;
        return Response.json({ certificate_pem: toPem(text("certificate"), "CERTIFICATE"), chain_pem: "" });
      }
      if (path.endsWith("/signing")) {
        const intent: SigningIntent = {
          id: "1",
          act: "record",
          content_url: "/api/sessions/s/signing/1",
          content_sha256: digest,
          signed_attrs_b64: toBase64(attrs),
        };
        return Response.json(intent);
      }
      if (init?.method === "POST") {
        got.signature = fromBase64(body.signature_b64!);
        return Response.json({ id: "s" });
      }
      return new Response(content);
    },
  });
  return { api, got };
}

describe("signing an act", () => {
  it("certifies once, checks, and hands in a signature over the very attributes", async () => {
    const content = text('[{"number":1}]');
    const digest = await sha256(content);
    const attrs = attributes([digest], await sha256(text("certificate")));
    const { api, got } = office(content, attrs, digest);
    const key = await SignerKey.make();
    await certify(api, "s", key);
    await certify(api, "s", key);
    await sign(api, "s", key, await prepare(api, "s", "record", key));
    expect(got.calls.filter((path) => path.endsWith("/key"))).toHaveLength(1);
    expect(got.csr).toContain("BEGIN CERTIFICATE REQUEST");
    expect(await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key.publicKey, got.signature!, attrs)).toBe(true);
  });

  it("signs nothing when the content is not what the attributes say", async () => {
    const { api, got } = office(text("exchanged"), attributes([await sha256(text("agreed"))]), await sha256(text("agreed")));
    const key = await SignerKey.make();
    await certify(api, "s", key);
    expect(await codeOf(prepare(api, "s", "record", key))).toBe("signing-other-content");
    expect(got.signature).toBeUndefined();
  });
});
