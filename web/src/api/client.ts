import { Problem } from "./problem";
import type { ProblemBody } from "./types";

export interface Call {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  /** Sent as JSON; a FormData goes as multipart. */
  body?: unknown;
  signal?: AbortSignal;
  /** Milliseconds before the call is given up. */
  deadline_ms?: number;
}

/** What the client needs of the machine it runs on; tests hand in their own. */
export interface Surroundings {
  fetch: typeof fetch;
  online: () => boolean;
  language: () => string;
}

const browser: Surroundings = {
  fetch: (input, init) => fetch(input, init),
  online: () => navigator.onLine,
  language: () => document.documentElement.lang || "zh-CN",
};

/**
 * The one way to the server: same origin, cookie session, `X-Farseal: 1` on every call (the CSRF guard).
 *
 * Throws `Problem` and nothing else. No call is repeated on its own: whoever knows that repeating
 * is harmless (form saving) does it.
 */
export class ApiClient {
  constructor(private readonly around: Surroundings = browser) {}

  async json<T>(path: string, call: Call = {}): Promise<T> {
    const response = await this.response(path, call);
    if (response.status === 204) return undefined as T;
    const text = await response.text();
    if (text === "") return undefined as T;
    try {
      return JSON.parse(text) as T;
    } catch {
      throw Problem.local("not-understood");
    }
  }

  get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.json<T>(path, { signal });
  }

  post<T>(path: string, body: unknown = {}): Promise<T> {
    return this.json<T>(path, { method: "POST", body });
  }

  put<T>(path: string, body: unknown): Promise<T> {
    return this.json<T>(path, { method: "PUT", body });
  }

  delete<T>(path: string): Promise<T> {
    return this.json<T>(path, { method: "DELETE" });
  }

  async bytes(path: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const response = await this.response(path, { signal, deadline_ms: 120_000 });
    return new Uint8Array(await response.arrayBuffer());
  }

  /** The response of a call that succeeded; every other outcome is a thrown Problem. */
  async response(path: string, call: Call = {}): Promise<Response> {
    const headers: Record<string, string> = {
      "X-Farseal": "1",
      "Accept-Language": this.around.language(),
      Accept: "application/json, application/problem+json, */*",
    };
    let body: BodyInit | undefined;
    if (call.body instanceof FormData) body = call.body;
    else if (call.body !== undefined) {
      headers["Content-Type"] = "application/json";
      body = JSON.stringify(call.body);
    }
    const deadline = AbortSignal.timeout(call.deadline_ms ?? 30_000);
    const signal = call.signal ? AbortSignal.any([call.signal, deadline]) : deadline;
    let response: Response;
    try {
      response = await this.around.fetch(path, {
        method: call.method ?? "GET",
        headers,
        body,
        signal,
        credentials: "same-origin",
      });
    } catch {
      if (call.signal?.aborted) throw Problem.local("cancelled");
      if (deadline.aborted) throw Problem.local("too-slow");
      throw Problem.local(this.around.online() ? "unreachable" : "offline");
    }
    if (!response.ok) throw await problemOf(response);
    return response;
  }

  /** Sends one file and tells how much has gone (0..1); fetch cannot report this, XMLHttpRequest can. */
  upload<T>(path: string, file: Blob, name: string, onProgress: (share: number) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const form = new FormData();
      form.append("file", file, name);
      const request = new XMLHttpRequest();
      request.open("POST", path);
      request.setRequestHeader("X-Farseal", "1");
      request.setRequestHeader("Accept-Language", this.around.language());
      request.timeout = 300_000;
      request.upload.onprogress = (event) => {
        if (event.lengthComputable) onProgress(event.loaded / event.total);
      };
      request.onerror = () => reject(Problem.local(this.around.online() ? "unreachable" : "offline"));
      request.ontimeout = () => reject(Problem.local("too-slow"));
      request.onload = () => {
        const parsed = parse(request.responseText);
        if (request.status >= 200 && request.status < 300) resolve(parsed as T);
        else reject(problemFrom(parsed, request.status));
      };
      request.send(form);
    });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function problemFrom(parsed: unknown, status: number): Problem {
  if (parsed && typeof parsed === "object" && "code" in parsed)
    return new Problem({ ...(parsed as ProblemBody), status });
  if (status === 413) return new Problem({ code: "upload-too-large", status }, { local: true });
  return new Problem({ code: status >= 500 ? "server-failed" : "not-understood", status }, { local: true });
}

async function problemOf(response: Response): Promise<Problem> {
  return problemFrom(parse(await response.text().catch(() => "")), response.status);
}

export const api = new ApiClient();
