/** Wires the parts of one thread: connection → store → view; what is written, and paging, come later. Stays in its root. */

import { liveUrl, settle } from "./live/addresses.js";
import * as api from "./live/api.js";
import { Connection } from "./live/connection.js";
import { Store } from "./live/thread_store.js";
import { later } from "./load_after_paint.js";
import { Place } from "./read/reading_position.js";
import { speak, t } from "./texts.js";
import { isSound } from "./view/safe_html.js";
import { focused } from "./view/selection.js";
import { View } from "./view/view.js";

const TICK_MS = 60_000;
const SAID_MS = 10_000;
const AGAIN_MS = 10_000;

/**
 * What is around the thread: a page of the server itself, or another site's.
 * @typedef {{isOwn: boolean, logIn: (back: string) => void, ring: (count: number) => void, loggedOut: () => void,
 *   target: () => number, page?: {url: string, title: string}, isBlocked?: () => boolean}} Host
 * `isOwn`: title, reloading and the log-out of the page are ours; `logIn` leads back to the path `back` of the server;
 * `ring`: so many unread notices; `loggedOut`: the session ended elsewhere; `target`: the comment
 * that the page's address names, or 0; `page`: another site's, under which the thread is; `isBlocked`: whether its policy
 * allows no sockets
 *
 * @typedef {import("./wire_after_paint.js").Rest} Rest
 */

/** One thread while it is on a page, in a document or in a shadow root. */
export class Live {
  #ending = new AbortController();
  #wasLost = false;
  #news = 0;
  #readers = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #saying;
  /** What is loaded later, once it is there. @type {Rest | undefined} */
  #rest;
  /** @type {HTMLElement | null} the field in which somebody writes */
  #written = null;

  /** @param {HTMLElement} root what the server rendered, with its attributes @param {Host} host */
  constructor(root, host) {
    this.root = root;
    this.host = host;
    const { signal } = this.#ending;
    // Without it, the server is the one that the script came from.
    if (root.hasAttribute("server")) settle(this.attribute("server"));
    speak(this.attribute("lang"), JSON.parse(this.attribute("words")));
    this.thread = this.attribute("key");
    this.viewer = this.attribute("viewer");
    this.store = new Store({
      epoch: this.attribute("epoch"),
      version: Number(this.attribute("version")),
      next: this.attribute("next"),
      start: this.attribute("start"),
      count: Number(this.attribute("count")),
      sort: this.attribute("sort"),
      locked: root.hasAttribute("locked"),
    });
    const { thread, viewer } = this;
    // Of the last visit something will be told: room for it.
    this.view = new View(root, this.store, { thread, viewer, isOwnPage: host.isOwn, signal });
    this.store.hydrate(this.view.hydrate(), JSON.parse(this.attribute("cuts")));
    this.place = new Place(this.view, { isOwnPage: host.isOwn, target: host.target(), signal });
    this.connection = new Connection({
      url: this.attribute("live-url") || liveUrl(),
      thread,
      position: () => this.store,
      ticket: viewer ? () => api.ticket(thread) : undefined,
    });
    this.#wire(signal);
    this.connection.open();
    this.#later();
  }

  /** Undo what was done, so that the same element can be mounted again. */
  end() {
    this.#leave();
    this.#ending.abort();
    // What is drawn goes beyond the first page: so do the links to more.
    this.root.setAttribute("next", this.store.next);
    this.root.setAttribute("count", String(this.store.count));
    this.root.setAttribute("cuts", JSON.stringify(Object.fromEntries(this.store.cuts.map((cut) => [cut.root, cut]))));
  }

  /** The element was moved: the focus, which browsers drop, goes back into the text. */
  moved() {
    if (!focused(this.root)?.matches("textarea, input")) this.#written?.focus({ preventScroll: true });
  }

  /** @param {AbortSignal} signal */
  #wire(signal) {
    const { root, connection } = this;
    connection.addEventListener("message", (event) => this.#hear(/** @type {CustomEvent} */ (event).detail));
    connection.addEventListener("state", (event) => this.#show(/** @type {CustomEvent} */ (event).detail));
    root.addEventListener("click", (event) => this.#clicked(event), { signal });
    root.addEventListener("submit", (event) => this.#submitted(event), { signal });
    root.addEventListener("focusin", ({ target }) => this.#entered(target), { signal });
    document.addEventListener("visibilitychange", () => this.#visibilityChanged(), { signal });
    addEventListener("online", () => connection.wake(), { signal });
    addEventListener("pageshow", () => connection.wake(), { signal });
    addEventListener("pagehide", () => this.#leave(), { signal });
    const ticking = setInterval(() => this.view.tick(), TICK_MS);
    signal.addEventListener("abort", () => clearInterval(ticking));
  }

  /** @param {EventTarget | null} target */
  #entered(target) {
    this.#written = target instanceof HTMLTextAreaElement ? target : null;
  }

  #leave() {
    this.place.keep();
    this.#rest?.leave();
    this.connection.close();
  }

  /** @param {any} message */
  #hear(message) {
    if (message.type === "changes") this.apply(message);
    else if (message.type === "joined") this.#joined(message);
    else if (message.type === "reset") setTimeout(() => this.#fetchAnew(), message.after_ms ?? 0);
    else if (message.type === "readers") this.#here(message.count);
    else if (message.type === "you") this.#ring().catch(() => {});
  }

  /** @param {import("./live/thread_store.js").Change} change */
  apply(change) {
    // What no server of ours sends is not taken: the change after it leads to a diff.
    if (!isSound(change)) return;
    const before = this.store.count;
    const { kind, touched } = this.store.apply(change);
    if (kind === "gap") this.connection.join();
    if (kind === "reset") this.#fetchAnew();
    if (kind !== "applied") return;
    const news = Math.max(0, this.store.count - before);
    this.#news += news;
    // After an outage the status says it.
    if (news && !this.#wasLost) this.view.dispatchEvent(new CustomEvent("news", { detail: { news, change } }));
    this.view.take(touched);
  }

  /** @param {{epoch: string, version: number, readers: number}} joined */
  #joined(joined) {
    if (!this.store.joined(joined)) this.#fetchAnew();
    this.#here(joined.readers);
  }

  #fetchAnew() {
    if (this.#ending.signal.aborted) return;
    const again = () => setTimeout(() => this.#fetchAnew(), 1_000 + Math.random() * 4_000);
    this.#parts()
      .then((rest) => rest?.further.restart())
      .catch(again);
  }

  /** Show how much of what concerns the account is unread. */
  async #ring() {
    const { unread } = await api.ask("GET", "/api/unread");
    this.host.ring(unread);
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const item = /** @type {HTMLElement | null} */ (link.closest("li[data-id]"));
    if (link.matches(".more, .more-replies") || (item && link.matches(".reply, .menu, .outdated > article .note"))) {
      event.preventDefault();
      this.#use((rest) => rest.pressed(link, item));
    }
  }

  /** @param {SubmitEvent} event */
  #submitted(event) {
    const form = /** @type {HTMLFormElement} */ (event.target);
    const button = /** @type {HTMLButtonElement | null} */ (event.submitter);
    if (!form.matches(".vote") || !button || (!this.viewer && this.host.isOwn)) return;
    event.preventDefault();
    if (!this.viewer) {
      this.host.logIn("");
      return;
    }
    this.#use((rest) => rest.vote(form, Number(button.value)));
  }

  /** @param {(rest: Rest) => void} act */
  async #use(act) {
    const rest = await this.#parts().catch(() => this.say(t("live.part_failed")));
    if (rest) act(rest);
  }

  /** @returns {Promise<Rest | undefined>} what is loaded later; nothing once the thread is gone */
  async #parts() {
    const { begin } = await later();
    const { signal } = this.#ending;
    if (!signal.aborted) this.#rest ??= begin(this, signal);
    return this.#rest;
  }

  /** What can wait until the thread is painted; without it one reads, so it is tried until it is there. */
  #later() {
    const again = () => this.#ending.signal.aborted || setTimeout(begin, AGAIN_MS * (0.5 + Math.random()));
    const begin = () => this.#parts().catch(again);
    const idle = globalThis.requestIdleCallback ?? setTimeout;
    idle(begin);
  }

  #visibilityChanged() {
    if (this.view.isHidden) {
      this.place.keep();
      this.#rest?.visit.keep();
    }
    this.view.visibilityChanged();
    if (!this.view.isHidden) this.connection.wake();
  }

  /** @param {string} state */
  #show(state) {
    const place = this.#find(".connection");
    place.dataset.state = state;
    if (state === "lost") {
      this.#wasLost = true;
      this.#news = 0;
      place.textContent = t("live.offline");
      this.say(t("live.reconnecting"), 0);
    } else if (state === "doubtful") {
      place.textContent = t("live.checking");
    } else if (state === "live" || state === "late") {
      this.#here(this.#readers);
      if (!this.#wasLost) return;
      this.#wasLost = false;
      this.say(this.#news ? t("live.back_with_new", { count: this.#news }) : t("live.back"));
    } else if (state === "ended") {
      place.textContent = t("thread.not_live");
      this.say(t("live.ended"), 0);
    }
  }

  /** @param {number} count */
  #here(count) {
    this.#readers = count;
    const text = this.connection.isLate ? t("live.late") : t("live.here", { count });
    this.#find(".connection").textContent = `● ${text}`;
  }

  /**
   * A status for the eye, spoken as well.
   * @param {string} text @param {number} [forMs] 0: until another is said @param {HTMLElement} [door] where it leads
   */
  say(text, forMs = SAID_MS, door) {
    const place = this.#find(".status");
    place.textContent = text;
    place.className = "status";
    if (door) place.append(" ", door);
    place.ariaHidden = door ? null : "true";
    this.speak(text);
    clearTimeout(this.#saying);
    // What lasts gives way to what there is to read: the line at the top goes on saying it.
    this.#saying = setTimeout(() => (forMs ? place.replaceChildren() : place.classList.add("calm")), forMs || SAID_MS);
  }

  /** @param {string} text */
  speak(text) {
    this.#find("[role=status]").textContent = text;
  }

  /** @param {string} name */
  attribute(name) {
    return this.root.getAttribute(name) ?? "";
  }

  /** @param {string} selector @returns {HTMLElement} */
  #find(selector) {
    return /** @type {HTMLElement} */ (this.root.querySelector(selector));
  }
}
