/** The questions to the server, over HTTP. Never touches the DOM. */

const PATIENCE_MS = 15_000;

/** An answer that is no success; `status` 0: there was none. */
export class Refused extends Error {
  /**
   * @param {number} status @param {{message?: string, code?: string, retry_after?: number}} error
   * @param {(import("./store.js").Comment & {body: string})} [current] what stands there now, where an edit was too late
   */
  constructor(status, error, current) {
    super(error.message ?? "The server could not be reached.");
    this.status = status;
    this.code = error.code ?? "unreachable";
    this.retryAfter = error.retry_after ?? 0;
    this.current = current;
  }
}

/**
 * @param {string} method @param {string} path @param {object} [body]
 * @returns {Promise<any>} the JSON of the answer; throws Refused
 */
export async function ask(method, path, body) {
  let response;
  let answer;
  try {
    response = await fetch(path, {
      method,
      headers: body ? { "content-type": "application/json" } : {},
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

/** @param {string} thread @param {{body: string, parent: number | null, nonce: string}} comment */
export async function postComment(thread, comment) {
  return (await ask("POST", `/api/threads/${thread}/comments`, comment)).comment;
}

/** @returns {Promise<string>} */
export async function ticket() {
  return (await ask("POST", "/api/ticket")).ticket;
}
