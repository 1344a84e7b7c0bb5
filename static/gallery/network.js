/** A network that is made up: all that a thread asks for is answered on the page itself. */

const OF_FILES = /\/(?:static|avatar|picture)\//;

/** A socket that leads to the thread at once, and brings nothing more than these. */
class Socket {
  /** @type {object[]} */
  static brings = [];
  readyState = 1;
  /** @type {((event: object) => void) | undefined} */
  onopen;
  /** @type {((event: {data: string}) => void) | undefined} */
  onmessage;

  constructor() {
    queueMicrotask(() => this.onopen?.({}));
  }

  /** @param {string} text */
  send(text) {
    const { type, thread, epoch, after } = JSON.parse(text);
    if (type !== "join") return;
    for (const one of [{ type: "joined", thread, epoch, version: after, readers: 41 }, ...Socket.brings])
      this.onmessage?.({ data: JSON.stringify(one) });
  }

  close() {}
}

/**
 * Answer by `answered` whatever is asked for from now on, but for files; null: never.
 * @param {(method: string, path: string, sent: any, query: URLSearchParams) => [number, object | string] | null} answered
 * @param {object[]} [brings] what every socket brings, once it is at its thread
 */
export function pretend(answered, brings = []) {
  const send = fetch;
  Socket.brings = brings;
  Object.assign(globalThis, { WebSocket: Socket });
  globalThis.fetch = (address, options = {}) => {
    const { pathname, searchParams } = new URL(String(address), location.href);
    // From here, whatever the server is called in an address for other sites.
    if (OF_FILES.test(pathname)) return send(pathname, options);
    const found = answered(options.method ?? "GET", pathname, JSON.parse(String(options.body ?? "null")), searchParams);
    if (!found) return new Promise(() => {});
    const [status, body] = found;
    return Promise.resolve(typeof body === "string" ? new Response(body, { status }) : Response.json(body, { status }));
  };
}
