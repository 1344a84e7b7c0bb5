/** New comments since the last visit, stored in this browser or with the account; and the account's votes. */

import { ask } from "../live/api.js";
import { browser } from "../live/browser_storage.js";
import { t } from "../texts.js";
import { showVote } from "../view/comment_item.js";
import { TIME, when, written } from "../view/times.js";
import { firstInSight, keep } from "../view/viewport.js";

/**
 * @typedef {import("../live/thread_store.js").Comment} Comment
 * @typedef {{comment: number, version: number, at: string, epoch?: string}} Visit
 * @typedef {{id: number, isOld: boolean, state?: string, name?: string | null}} Seen
 */

const SHORT_MS = 60_000;

export class LastVisit {
  /** @type {Visit | null} */
  last = null;
  /** @type {Set<number>} what is new since then, and what has come since behind a link */
  #fresh = new Set();
  /** @type {Map<number, {parent?: number | null}>} what the diff since then says of where a comment hangs */
  #hanging = new Map();
  /** @type {Set<number>} roots in whose branches something changed */
  #stirred = new Set();
  #newest = Infinity;
  /** @type {Set<number>} what has come, and is not drawn yet */
  #arriving = new Set();
  #isWhole = true;
  #began = Infinity;

  /**
   * @param {HTMLElement} root @param {import("../live/thread_store.js").Store} store @param {import("../view/view.js").View} view
   * @param {{thread: string, viewer: string}} page
   */
  constructor(root, store, view, { thread, viewer }) {
    this.root = root;
    this.store = store;
    this.view = view;
    this.viewer = viewer;
    this.thread = thread;
    this.slot = `visit:${thread}`;
    this.#began = store.version;
  }

  /** Ask what the account's votes here are, and when it was here last; say what is new. */
  async begin() {
    // What only those without the script need; and what the server has marked.
    this.root.querySelector(".plain")?.toggleAttribute("hidden", true);
    for (const item of this.#items()) if (item.classList.contains("unread")) this.#count(item);
    if (this.viewer) {
      const mine = await ask("GET", `/api/threads/${this.thread}/mine`).catch(() => null);
      this.#showVotes(mine?.votes ?? {});
      this.last = mine?.visit ?? null;
    } else {
      this.last = this.#read();
    }
    this.view.addEventListener("settled", () => this.#look());
    await this.#tell();
    this.view.refresh();
  }

  /** @param {Record<string, number>} votes the account's own, by comment */
  #showVotes(votes) {
    for (const [id, value] of Object.entries(votes)) {
      this.view.votes.set(Number(id), value);
      const form = this.view.item(Number(id))?.querySelector(":scope > article .vote");
      if (form instanceof HTMLElement) showVote(form, value);
    }
  }

  /** Keep that everything up to now was there to be read. */
  keep() {
    const { version, epoch } = this.store;
    const visit = { comment: this.view.newest, version, at: new Date().toISOString(), epoch };
    if (!visit.comment) return;
    if (this.viewer) this.#send(visit);
    else this.#write(visit);
  }

  /** Behind what the rest of the new waits: "More replies" of these roots, or (0) "More comments". @returns {Set<number>} */
  get doors() {
    const cuts = new Set(this.store.cuts.map(({ root }) => root));
    /** @type {Set<number>} */
    const doors = new Set();
    for (const id of this.#fresh) {
      if (this.view.item(id) || this.store.get(id)) continue;
      const root = this.#rootOf(id);
      // Deep behind a cut not all that is above it is known: then it may be in any branch where something changed.
      for (const one of root ? [root] : [0, ...this.#stirred]) doors.add(cuts.has(one) ? one : 0);
    }
    return doors;
  }

  /** @param {number} id @returns {number | undefined} */
  #rootOf(id) {
    for (let at = id; ; ) {
      const known = this.store.get(at) ?? this.#hanging.get(at);
      if (!known?.parent) return known && at;
      at = known.parent;
    }
  }

  /** Say what came since then, and mark it, now and when more pages bring it. */
  async #tell() {
    const { last } = this;
    const place = this.root.querySelector(".since");
    const told = place?.querySelector("time");
    // As one new text: nothing of it moves.
    if (told) {
      told.textContent = since(told.dateTime);
      told.parentNode?.replaceChildren(told.parentNode.textContent ?? "");
    }
    if (!last || !(place instanceof HTMLElement) || Date.now() - Date.parse(last.at) < SHORT_MS) return;
    const [changed, toMe] = await Promise.all([this.#changedSince(last), this.#toMeSince(last)]);
    const fresh = changed.filter(({ isOld, state, name }) => !isOld && state === "visible" && this.#isOther(name));
    const removed = changed.filter(({ isOld, state }) => isOld && state !== "visible");
    if (!fresh.length && !removed.length) return;
    const author = this.root.getAttribute("author");
    const byAuthor = author ? fresh.filter(({ name }) => name === author).length : 0;
    const parts = [];
    const count = fresh.length;
    if (count) parts.push(this.#isWhole ? t("since.new", { count }) : t("since.at_least", { count }));
    if (byAuthor) parts.push(t("since.by_author", { count: byAuthor }));
    if (toMe) parts.push(t("since.to_you", { count: toMe }));
    if (removed.length) parts.push(t("since.removed", { count: removed.length }));
    const [text, toggle] = /** @type {[HTMLElement, HTMLButtonElement]} */ ([...place.children]);
    // What the server has counted is all of it.
    if (!told) text.textContent = t("thread.since", { time: since(last.at), counts: parts.join(t("since.separator")) });
    toggle.addEventListener("click", () => this.#onlyNew(toggle));
    // A page of only the new has no more to show.
    toggle.hidden = !fresh.length || this.root.classList.contains("only-new");
    const line = firstInSight(this.view.list);
    place.hidden = false;
    keep(line);
    this.#fresh = new Set(fresh.map(({ id }) => id));
    this.#newest = Math.max(...changed.map(({ id }) => id), this.view.newest);
    this.#look();
  }

  /** @param {string | null | undefined} name */
  #isOther(name) {
    return !this.viewer || name !== this.viewer;
  }

  /** What changed, also behind "More comments"; after too much of it, what of it is loaded. @param {Visit} last @returns {Promise<Seen[]>} */
  async #changedSince(last) {
    const since = `after=${last.version}&epoch=${encodeURIComponent(this.store.epoch)}`;
    const { comments, branches } = await ask("GET", `/api/threads/${this.thread}/changes?${since}`).catch(() => ({}));
    for (const root of Object.keys(branches ?? {})) this.#stirred.add(Number(root));
    // Old texts may be new here: what counts is when they arrived.
    const isOld = (/** @type {number} */ arrived) => arrived <= last.version;
    if (comments) {
      return comments.map((/** @type {Comment} */ { id, parent, state, author, arrived = 0 }) => {
        this.#hanging.set(id, { parent });
        return { id, isOld: isOld(arrived), state, name: author?.name };
      });
    }
    this.#isWhole = !this.store.next;
    return this.#items()
      .filter(({ dataset: { version } }) => Number(version) > last.version)
      .map((item) => {
        const id = Number(item.dataset.id);
        return {
          id,
          isOld: isOld(Number(item.dataset.arrived)),
          state: item.dataset.state,
          name: nameIn(item),
        };
      });
  }

  /** @param {Visit} last @returns {Promise<number>} answers and mentions */
  async #toMeSince(last) {
    if (!this.viewer) return 0;
    const { notices } = await ask("GET", `/api/me/changes?after=${last.version}`).catch(() => ({ notices: [] }));
    return notices.filter((/** @type {{thread: string}} */ { thread }) => thread === this.thread).length;
  }

  #items() {
    return /** @type {HTMLElement[]} */ ([...this.root.querySelectorAll("li[data-id]")]);
  }

  /** @param {{comments?: Comment[], branches?: Record<string, number>}} message what came, where it is a change */
  hear({ comments = [], branches = {} }) {
    for (const root of Object.keys(branches)) this.#stirred.add(Number(root));
    for (const { id, parent, state, author, arrived = 0 } of comments) {
      if (state && state !== "visible") this.#fresh.delete(id);
      if (state !== "visible" || arrived <= this.#began || !this.#isOther(author?.name)) continue;
      this.#hanging.set(id, { parent });
      this.#arriving.add(id);
    }
  }

  /** What has come and is neither drawn nor held waits behind a link: it is unread as well. */
  #look() {
    const isBehind = (/** @type {number} */ id) => !this.view.item(id) && !this.view.held.has(id);
    for (const id of this.#arriving) if (isBehind(id)) this.#fresh.add(id);
    this.#arriving.clear();
    this.#mark();
    const behind = [...this.#fresh].filter(isBehind).length;
    if (behind === this.view.unread.behind) return;
    this.view.unread.behind = behind;
    this.view.refresh();
  }

  /** What arrives live is new as well, but marks itself. */
  #mark() {
    if (!this.#fresh.size && this.#newest === Infinity) return;
    for (const item of this.#items()) {
      const id = Number(item.dataset.id);
      const isFresh = this.#fresh.has(id);
      if (!(isFresh || id > this.#newest) || item.classList.contains("since-last")) continue;
      item.classList.add("since-last");
      if (isFresh && item.dataset.state === "visible") this.#count(item);
    }
  }

  /** It is unread; and may be before the eyes already. @param {HTMLElement} item */
  #count(item) {
    this.view.unread.mark(item);
    this.view.observer.unobserve(item);
    this.view.observer.observe(item);
  }

  /** @param {HTMLButtonElement} toggle */
  #onlyNew(toggle) {
    const isOn = this.root.classList.toggle("only-new");
    toggle.setAttribute("aria-pressed", String(isOn));
    toggle.textContent = isOn ? t("thread.show_all") : t("thread.only_new");
  }

  /** Also while the page goes away. @param {Visit} visit */
  #send({ comment, version }) {
    ask("PUT", `/api/threads/${this.thread}/visit`, { comment, version }, true).catch(() => {});
  }

  /** @returns {Visit | null} */
  #read() {
    try {
      const visit = JSON.parse(browser.read(this.slot) ?? "null");
      // Under another epoch its version means nothing.
      return visit?.epoch === this.store.epoch ? visit : null;
    } catch {
      return null;
    }
  }

  /** @param {Visit} visit */
  #write(visit) {
    browser.keep(this.slot, JSON.stringify(visit));
  }
}

/** @param {HTMLElement} item */
function nameIn(item) {
  return item.querySelector(".name")?.textContent;
}

/** @param {string} moment @returns {string} "14:02" today, else with the day */
function since(moment) {
  const isToday = new Date(moment).toDateString() === new Date().toDateString();
  return isToday ? written(moment, TIME) : when(moment, { day: "numeric", month: "short" });
}
