import type { ApiClient } from "../api/client";
import type { Act, SessionView, SigningIntent, Stroke } from "../api/types";
import { checkIntent, requireBegins } from "./attributes";
import { fromBase64, toBase64, type Bytes } from "./bytes";
import type { SignerKey } from "./key";

/** What is about to be signed, checked: the bytes this page fetched and the attributes that speak of them. */
export interface CheckedIntent {
  intent: SigningIntent;
  content: Bytes;
  digest: string;
}

/** The document whose pages were on the screen: where it is, and its digest in the session. */
export interface ShownDocument {
  url: string;
  sha256: string;
}

/** Has the office certify this page's key for the session, once. */
export async function certify(api: ApiClient, session: string, key: SignerKey): Promise<void> {
  if (key.isCertified) return;
  const { certificate_pem } = await api.post<{ certificate_pem: string; chain_pem: string }>(
    `/api/sessions/${session}/key`,
    { csr_pem: await key.request(session) },
  );
  key.certified(certificate_pem);
}

/** Asks what would be signed, fetches that content itself and compares. Nothing is signed yet. */
export async function prepare(
  api: ApiClient,
  session: string,
  act: Act,
  key: SignerKey,
  { strokes, shown }: { strokes?: Stroke[]; shown?: ShownDocument } = {},
): Promise<CheckedIntent> {
  const intent = await api.post<SigningIntent>(`/api/sessions/${session}/signing`, strokes ? { act, strokes } : { act });
  const content = await api.bytes(intent.content_url);
  const signed_attrs = fromBase64(intent.signed_attrs_b64);
  if (shown) await requireBegins(content, await api.bytes(shown.url), shown.sha256);
  const digest = await checkIntent({ content_sha256: intent.content_sha256, signed_attrs }, content, key.certificate);
  return { intent, content, digest };
}

/** Signs the attributes that were checked, and hands the signature in. */
export async function sign(
  api: ApiClient,
  session: string,
  key: SignerKey,
  checked: CheckedIntent,
): Promise<SessionView> {
  const signature = await key.sign(fromBase64(checked.intent.signed_attrs_b64));
  return api.post<SessionView>(`/api/sessions/${session}/signing/${checked.intent.id}`, {
    signature_b64: toBase64(signature),
  });
}
