/** Requests to the server, over HTTP. Never touches the DOM. */

import { language, t } from "../texts.js";
import { at } from "./addresses.js";

const PATIENCE_MS = 15_000;

/** A failed request; `status` 0: there was no answer. */
export class Refused extends Error {
  /**
   * @param {number} status @param {{message?: string, code?: string, retry_after?: number}} error
   * @param {(import("./thread_store.js").Comment & {body: string})} [current] what stands there now, where an edit was too late
   */
  constructor(status, error, current) {
    super(error.message ?? t("error.unreachable"));
    this.status = status;
    this.code = error.code ?? "unreachable";
    this.retryAfter = error.retry_after ?? 0;
    this.current = current;
  }
}

/** Of a session on another site, where no cookie comes back. */
let bearer = "";

/** @param {string} token "" for none */
export function speakAs(token) {
  bearer = token;
}

/** @returns {{credentials: RequestCredentials, headers: Record<string, string>}} by which the server knows the reader */
const known = () => ({ credentials: "include", headers: bearer ? { authorization: `Bearer ${bearer}` } : {} });

/** @param {string} path of a page on the server @param {AbortSignal} signal @returns {Promise<string>} its HTML */
export async function read(path, signal) {
  const response = await fetch(at(path), { ...known(), signal });
  if (!response.ok) throw new Refused(response.status, { retry_after: Number(response.headers.get("retry-after")) });
  return response.text();
}

/**
 * @param {string} method @param {string} path on the server @param {object} [body]
 * @param {boolean} [outlives] also while the page goes away
 * @returns {Promise<any>} the JSON of the answer; throws Refused
 */
export async function ask(method, path, body, outlives = false) {
  let response;
  let answer;
  try {
    const { credentials, headers } = known();
    // Errors are said in the language of the page.
    headers["accept-language"] = language;
    if (body) headers["content-type"] = "application/json";
    response = await fetch(at(path), {
      method,
      keepalive: outlives,
      credentials,
      headers,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    answer = await response.json();
  } catch {
    throw new Refused(response?.status ?? 0, {});
  }
  if (!response.ok) throw new Refused(response.status, answer.error ?? {}, answer.current);
  return answer;
}

/** @param {string} thread @param {{body: string, parent: number | null, nonce: string, url?: string, title?: string}} comment */
export async function postComment(thread, comment) {
  return (await ask("POST", `/api/threads/${thread}/comments`, comment)).comment;
}

/** @param {string} thread in which the socket is to write @returns {Promise<string>} */
export async function ticket(thread) {
  return (await ask("POST", "/api/ticket", { thread })).ticket;
}
