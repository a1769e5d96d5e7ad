/** Opening a camera, and why one does not open: the causes a person can do something about. */

export type CameraTrouble = "webview" | "insecure" | "refused" | "none" | "busy" | "unknown";

/** Browsers inside chat programmes, which give pages no camera. */
export function inWebView(agent: string): "wechat" | "other" | null {
  if (/MicroMessenger/i.test(agent)) return "wechat";
  return /\b(QQ\/|DingTalk|AlipayClient|; wv\))/i.test(agent) ? "other" : null;
}

export function troubleOf(error: unknown): CameraTrouble {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "refused";
  if (name === "NotFoundError" || name === "DevicesNotFoundError" || name === "OverconstrainedError") return "none";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "unknown";
}

export type Opened = { stream: MediaStream } | { trouble: CameraTrouble };

export async function openCamera(constraints: MediaStreamConstraints): Promise<Opened> {
  if (!navigator.mediaDevices?.getUserMedia) {
    if (inWebView(navigator.userAgent)) return { trouble: "webview" };
    return { trouble: window.isSecureContext ? "none" : "insecure" };
  }
  try {
    return { stream: await navigator.mediaDevices.getUserMedia(constraints) };
  } catch (error) {
    return { trouble: troubleOf(error) };
  }
}

export function closeStream(stream: MediaStream | null | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
