/**
 * The live connection of one thread: joins, resumes, pings, reconnects. Never touches the DOM.
 *
 * Events: `message` (detail: the frame; `refused` where there was no ticket), `state` (detail: "connecting" | "live" |
 * "late" | "doubtful" | "lost" | "ended"). It is live only while something was heard within the beat, and late while no
 * socket can be had but the changes come by requests (polling.js).
 */

/** After so much silence it is asked for a sign of life, */
const BEAT_MS = 15_000;
/** without one it is doubtful, */
const DOUBT_MS = 3_000;
/** and then as good as closed. */
const SILENCE_MS = 10_000;
const LOOK_MS = 1_000;
/** A look that comes so much later than it should: the machine was asleep. */
const ASLEEP_MS = 5_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 20_000;
const LOST_AFTER_MS = 3_000;

export class Connection extends EventTarget {
  #url;
  #thread;
  #position;
  #Socket;
  #random;
  #ticket;
  /** @type {WebSocket | null} */
  #socket = null;
  #attempts = 0;
  #pause = 0;
  #isEnded = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #lost;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #looking;
  #lookedAt = 0;
  #heardAt = 0;
  /** Since when an answer is owed; 0: none is. */
  #askedAt = 0;
  #isLive = false;
  #isDoubted = false;
  #isLate = false;

  /**
   * @param {{url: string, thread: string, position: () => {epoch: string, version: number},
   *   ticket?: () => Promise<string>, Socket?: typeof WebSocket, random?: () => number}} options
   * `position` says where the client stands whenever it joins; `ticket` fetches what signs a socket in
   */
  constructor({ url, thread, position, ticket, Socket = WebSocket, random = Math.random }) {
    super();
    this.#url = url;
    this.#thread = thread;
    this.#position = position;
    this.#Socket = Socket;
    this.#random = random;
    this.#ticket = ticket;
  }

  /** How often in a row no socket led to the thread. */
  get failures() {
    return this.#attempts;
  }

  /** Whether changes come by requests meanwhile. */
  get isLate() {
    return this.#isLate;
  }

  set isLate(isLate) {
    if (isLate === this.#isLate) return;
    this.#isLate = isLate;
    this.#say(isLate ? "late" : "lost");
  }

  /** Tell of a frame, also of one that no socket brought. @param {object} message */
  bring(message) {
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  open() {
    if (this.#socket || this.#isEnded) return;
    clearTimeout(this.#retry);
    this.#waits();
    let socket;
    try {
      socket = new this.#Socket(this.#url);
    } catch {
      // So a policy of the page refuses it in Firefox.
      return this.#closed(null, 1006);
    }
    this.#socket = socket;
    socket.onopen = () => {
      this.#listen();
      this.join();
      this.#hello(socket);
    };
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    socket.onclose = ({ code }) => this.#closed(socket, code);
    // A connection that hangs while it is made is as dead as one that fell silent.
    this.#lookedAt = this.#askedAt = Date.now();
    this.#looking = setTimeout(() => this.#look(), LOOK_MS);
  }

  /** Ask for everything after the present position: at first, and again after a gap. */
  join() {
    const { epoch, version } = this.#position();
    this.#send({ type: "join", thread: this.#thread, epoch, after: version });
  }

  /** Say that an answer to `parent` is being written. @param {number | null} parent */
  typing(parent) {
    this.#send({ type: "typing", thread: this.#thread, parent });
  }

  /** Nothing waits for it: without a ticket one reads all the same. @param {WebSocket} socket */
  async #hello(socket) {
    const ticket = await this.#ticket?.().catch((error) => {
      this.bring({ type: "refused", error });
    });
    if (ticket && socket === this.#socket) this.#send({ type: "hello", ticket });
  }

  /** The network or the page came back: do not wait for the end of a pause. */
  wake() {
    if (!this.#socket) {
      this.#attempts = 0;
      this.open();
    } else if (this.#socket.readyState === 1) {
      if (Date.now() - this.#heardAt >= BEAT_MS + DOUBT_MS) this.#doubt();
      this.#ping();
    }
  }

  /** Leave without coming back until `open`. */
  close() {
    clearTimeout(this.#retry);
    clearTimeout(this.#lost);
    this.#lost = undefined;
    this.#drop(false);
  }

  /** @param {{type: string, thread?: string, after_ms?: number}} message */
  #hear(message) {
    this.#listen();
    if (message.type === "retry") this.#pause = message.after_ms ?? 0;
    if (message.type === "joined") {
      this.#attempts = 0;
      clearTimeout(this.#lost);
      this.#lost = undefined;
    }
    if (message.type === "error" && message.thread) {
      // The thread could not be read just now; the socket is sound.
      setTimeout(() => this.#socket && this.join(), this.#backoff());
    }
    this.bring(message);
    if (message.type === "joined" || this.#isDoubted) this.#confirm();
  }

  #listen() {
    this.#heardAt = Date.now();
    this.#askedAt = 0;
  }

  #confirm() {
    this.#isLive = true;
    this.#isDoubted = this.#isLate = false;
    this.#say("live");
  }

  /** It was live, and may not be any more. */
  #doubt() {
    if (!this.#isLive) return;
    this.#isLive = false;
    this.#isDoubted = true;
    this.#say("doubtful");
  }

  #look() {
    const now = Date.now();
    this.#looking = setTimeout(() => this.#look(), LOOK_MS);
    const wasAsleep = now - this.#lookedAt >= ASLEEP_MS;
    this.#lookedAt = now;
    if (wasAsleep) this.#doubt();
    if (wasAsleep || (!this.#askedAt && now - this.#heardAt >= BEAT_MS)) return this.#ping();
    if (!this.#askedAt) return;
    if (now - this.#askedAt >= DOUBT_MS) this.#doubt();
    if (now - this.#askedAt >= SILENCE_MS) this.#drop();
  }

  #ping() {
    this.#askedAt ||= Date.now();
    this.#send({ type: "ping" });
  }

  /** @param {object} message */
  #send(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  #drop(comesBack = true) {
    const socket = this.#socket;
    if (!socket) return;
    socket.onclose = null;
    socket.onmessage = null;
    socket.onopen = null;
    socket.close();
    if (comesBack) this.#closed(socket, 1006);
    else this.#forget();
  }

  #waits() {
    if (!this.#isLate) this.#say("connecting");
    this.#lost ??= setTimeout(() => this.#isLate || this.#say("lost"), LOST_AFTER_MS);
  }

  #forget() {
    clearTimeout(this.#looking);
    this.#isLive = this.#isDoubted = false;
    this.#socket = null;
  }

  /** @param {WebSocket | null} socket @param {number} code */
  #closed(socket, code) {
    if (socket !== this.#socket) return;
    this.#forget();
    if (code === 1008 || code === 1009 || (code >= 4500 && code <= 4999)) {
      this.#isEnded = true;
      clearTimeout(this.#lost);
      this.#say("ended");
      return;
    }
    this.#waits();
    const pause = this.#pause || this.#backoff();
    this.#pause = 0;
    this.#retry = setTimeout(() => this.open(), pause);
  }

  /** Full jitter: a thousand clients that fell together do not come back together. */
  #backoff() {
    return this.#random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#attempts++);
  }

  /** @param {string} state */
  #say(state) {
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}
