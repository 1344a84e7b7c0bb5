/** Defines `<live-thread>` and wires its parts: connection → store → view, and composer → api. */

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { Store } from "./store.js";
import { View } from "./view.js";
import * as words from "./words.js";

const TICK_MS = 60_000;
const SPEAK_EVERY_MS = 20_000;
const SAID_MS = 10_000;

/** One `<live-thread>` while it is on a page. */
class Live {
  #root;
  #ending = new AbortController();
  #wasLost = false;
  #news = 0;
  #unspoken = 0;
  #spokenAt = 0;
  /** @type {import("./catch_up.js").LastVisit | undefined} */
  visit;
  /** @type {import("./actions.js").Actions | undefined} */
  #actions;
  /** @type {import("./further.js").Further | undefined} */
  #further;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    this.thread = this.#attribute("key");
    const viewer = this.#attribute("viewer");
    this.viewer = viewer;
    this.store = new Store({
      epoch: this.#attribute("epoch"),
      version: Number(this.#attribute("version")),
      next: this.#attribute("next"),
      start: this.#attribute("start"),
      count: Number(this.#find(".count").textContent),
      sort: this.#attribute("sort"),
      locked: root.hasAttribute("locked"),
    });
    this.view = new View(root, this.store, { thread: this.thread, viewer });
    this.store.hydrate(this.view.hydrate(), JSON.parse(this.#attribute("cuts")));
    this.composer = new Composer(root, {
      thread: this.thread,
      viewer,
      post: (post) => this.#post(post),
      go: (url) => location.assign(url),
      typing: (parent) => this.connection.typing(parent),
    });
    this.connection = new Connection({
      url: this.#liveUrl(),
      thread: this.thread,
      position: () => this.store,
      ticket: viewer ? api.ticket : undefined,
    });
    this.#wire();
    this.connection.open();
    this.#later();
    if (this.store.cuts.length) this.#lead(() => undefined).catch(() => {});
  }

  end() {
    this.#ending.abort();
    this.view.end();
    this.composer.keepAll();
    this.connection.close();
  }

  #wire() {
    const { signal } = this.#ending;
    this.connection.addEventListener("message", (event) => this.#hear(/** @type {CustomEvent} */ (event).detail));
    this.connection.addEventListener("state", (event) => this.#show(/** @type {CustomEvent} */ (event).detail));
    this.#root.addEventListener("click", (event) => this.#clicked(event), { signal });
    this.#root.addEventListener("input", ({ target }) => this.#typed(target), { signal });
    this.#root.addEventListener("submit", (event) => this.#submitted(event), { signal });
    document.addEventListener("selectionchange", () => this.#selected(), { signal });
    document.addEventListener("visibilitychange", () => this.#visibilityChanged(), { signal });
    addEventListener("online", () => this.connection.wake(), { signal });
    addEventListener("pageshow", () => this.connection.wake(), { signal });
    addEventListener("pagehide", () => this.#leave(), { signal });
    const ticking = setInterval(() => this.view.tick(), TICK_MS);
    signal.addEventListener("abort", () => clearInterval(ticking));
  }

  #leave() {
    this.composer.keepAll();
    this.connection.close();
    this.visit?.keep();
  }

  /** @param {any} message */
  #hear(message) {
    if (message.type === "changes") this.#apply(message);
    else if (message.type === "joined") this.#joined(message);
    else if (message.type === "reset") setTimeout(() => this.#fetchAnew(), message.after_ms ?? 0);
    else if (message.type === "readers") this.#here(message.count);
    else if (message.type === "you") import("./catch_up.js").then(({ ringBell }) => ringBell()).catch(() => {});
  }

  /** @param {import("./store.js").Change} change */
  #apply(change) {
    const before = this.store.count;
    const { kind, touched } = this.store.apply(change);
    if (kind === "gap") this.connection.join();
    if (kind === "reset") this.#fetchAnew();
    if (kind !== "applied") return;
    this.#tellNews(Math.max(0, this.store.count - before));
    this.view.take(touched);
  }

  /** @param {{epoch: string, version: number, readers: number}} joined */
  #joined(joined) {
    if (!this.store.joined(joined)) this.#fetchAnew();
    this.#here(joined.readers);
  }

  /** Further pages and parts. @param {(further: import("./further.js").Further) => Promise<void> | undefined} lead */
  async #lead(lead) {
    const { Further } = await import("./further.js");
    this.#further ??= new Further({
      root: this.#root,
      thread: this.thread,
      store: this.store,
      view: this.view,
      apply: (change) => this.#apply(change),
      join: () => this.connection.join(),
      say: (text) => this.say(text),
      speak: (text) => this.#speak(text),
    });
    await lead(this.#further);
  }

  #fetchAnew() {
    const again = () => setTimeout(() => this.#fetchAnew(), 1_000 + Math.random() * 4_000);
    this.#lead((further) => further.anew()).catch(again);
  }

  /** @param {import("./composer.js").Post} post */
  async #post(post) {
    this.view.own.add(post.nonce);
    this.view.showPending(post);
    try {
      const comment = await api.postComment(this.thread, post);
      this.view.show(this.store.answer(comment));
      if (comment.state === "pending") this.say("Your comment is held until a moderator has seen it.");
      else if (this.store.isDrawn(comment.id)) this.#speak("Your comment was posted.");
      else {
        const door = this.store.isCutOff(comment.id) ? "replies" : "comments";
        this.say(`Your comment was posted. It stands behind “More ${door}”.`);
      }
    } finally {
      this.view.removePending(post.nonce);
    }
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const item = /** @type {HTMLElement | null} */ (link.closest("li[data-id]"));
    if (link.matches(".more, .more-replies")) {
      event.preventDefault();
      this.more(link);
    } else if (item && link.matches(".reply")) {
      event.preventDefault();
      this.composer.answer(item);
    } else if (item && link.matches(".outdated > article .note")) {
      event.preventDefault();
      this.view.showEdited(item);
    } else if (item && link.matches(".edit, .delete")) {
      event.preventDefault();
      this.#act((actions) => (link.matches(".edit") ? actions.edit(item) : actions.remove(link, item)));
    }
  }

  /** Load what is behind the link. @param {HTMLElement} link */
  more(link) {
    const failed = () => this.say("More comments could not be loaded. Try again.");
    return this.#lead((further) => further.more(link)).catch(failed);
  }

  /** @param {SubmitEvent} event */
  #submitted(event) {
    const form = /** @type {HTMLFormElement} */ (event.target);
    const button = /** @type {HTMLButtonElement | null} */ (event.submitter);
    if (button?.matches(".preview")) this.#act((actions) => actions.preview(form));
    if (!form.matches(".vote") || !button || !this.viewer) return;
    event.preventDefault();
    this.#act((actions) => actions.vote(form, Number(button.value)));
  }

  /** @param {EventTarget | null} target */
  #typed(target) {
    const text = target instanceof HTMLTextAreaElement && this.viewer ? target : null;
    if (text?.value.includes("@")) this.#act((actions) => actions.complete(text));
  }

  #selected() {
    const isOne = Boolean(getSelection()?.anchorNode?.parentElement?.closest("live-thread .body"));
    if (isOne || this.#actions) this.#act((actions) => actions.quote());
  }

  /** What is done to one comment is loaded when it is first done. @param {(actions: import("./actions.js").Actions) => void} act */
  async #act(act) {
    const { Actions } = await import("./actions.js");
    this.#actions ??= new Actions({
      root: this.#root,
      thread: this.thread,
      store: this.store,
      view: this.view,
      answer: (item) => this.composer.answer(item),
      say: (text) => this.say(text),
      speak: (text) => this.#speak(text),
    });
    act(this.#actions);
  }

  /** What can wait until the thread is painted. */
  async #later() {
    const { begin } = await import("./later.js");
    this.visit = begin(this.#root, this, this.#ending.signal);
  }

  #visibilityChanged() {
    if (this.view.isHidden) this.visit?.keep();

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
      place.textContent = "Offline";
      this.say("Reconnecting… what you write is saved.", 0);
    } else if (state === "live" && this.#wasLost) {
      this.#wasLost = false;
      this.say(this.#news ? `Back online. ${words.comments(this.#news, "new ")}.` : "Back online.");
    } else if (state === "ended") {
      place.textContent = "Not live";
      this.say("This page is not live any more. Reload it to go on.", 0);
    }
  }

  /** @param {number} count */
  #here(count) {
    this.#find(".connection").textContent = `● Live · ${count} here`;
  }

  /** A status for the eye, spoken as well. @param {string} text @param {number} [forMs] 0: until another is said */
  say(text, forMs = SAID_MS) {
    const place = this.#find(".status");
    place.textContent = text;
    this.#speak(text);
    const clear = () => {
      if (place.textContent === text) place.textContent = "";
    };
    if (forMs) setTimeout(clear, forMs);
  }

  /** @param {string} text */
  #speak(text) {
    this.#find("[role=status]").textContent = text;
  }

  /** Say what came at most every 20 s: a lively thread must not talk without end. @param {number} count */
  #tellNews(count) {
    this.#news += count;
    if (!count) return;
    if (!this.#unspoken) {
      const wait = Math.max(0, this.#spokenAt + SPEAK_EVERY_MS - Date.now());
      setTimeout(() => {
        this.#spokenAt = Date.now();
        this.#speak(words.comments(this.#unspoken, "new "));
        this.#unspoken = 0;
      }, wait);
    }
    this.#unspoken += count;
  }

  #liveUrl() {
    return this.#attribute("live-url") || `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`;
  }

  /** @param {string} name */
  #attribute(name) {
    return this.#root.getAttribute(name) ?? "";
  }

  /** @param {string} selector @returns {HTMLElement} */
  #find(selector) {
    return /** @type {HTMLElement} */ (this.#root.querySelector(selector));
  }
}

class LiveThread extends HTMLElement {
  /** @type {Live | undefined} */
  live;

  connectedCallback() {
    this.live = new Live(this);
  }

  disconnectedCallback() {
    this.live?.end();
  }
}

customElements.define("live-thread", LiveThread);
