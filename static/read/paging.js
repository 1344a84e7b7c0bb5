/**
 * Paging: More comments, More replies, and starting again. Loaded on first use.
 */

import { at } from "../live/addresses.js";
import { ask, Refused } from "../live/api.js";
import { t } from "../texts.js";
import { setText } from "../view/comment_item.js";
import { focused } from "../view/selection.js";

const PART = 100;
// A lively branch is not asked for its count at every reply, nor by all its readers at once.
const RECOUNT_MS = 2_000;

/** @typedef {import("../live/thread_store.js").Snapshot} Snapshot */

export class Further {
  #isFetching = false;
  /** @type {Set<number>} roots whose count is being asked for */
  #counting = new Set();

  /** @param {import("../live_thread.js").Live} live */
  constructor(live) {
    this.live = live;
    this.thread = live.thread;
    this.store = live.store;
    this.view = live.view;
    const replies = Number(live.attribute("replies"));
    this.cutting = replies ? `&replies=${replies}` : "";
    this.view.addEventListener("settled", () => this.#drawLinks());
  }

  /** Start again under another epoch, or after too long an absence. Drafts and position stay. */
  async restart() {
    if (this.#isFetching) return;
    this.#isFetching = true;
    try {
      const snapshot = await this.#page("", this.cutting);
      if (snapshot.thread !== this.thread) {
        this.live.connection.bring({ type: "merged", info: { moved: snapshot.thread } });
        return;
      }
      this.view.take(this.store.reset(snapshot));
      this.live.connection.join();
    } finally {
      this.#isFetching = false;
    }
  }

  /** Load what is behind the link. @param {HTMLElement} link */
  async more(link) {
    const root = Number(link.dataset.root) || undefined;
    const cursor = root ? this.store.cuts.find((cut) => cut.root === root)?.cursor : this.store.next;
    if (!cursor || link.ariaBusy) return;
    link.ariaBusy = "true";
    try {
      const page = await (root ? this.#page(cursor, `&branch=${root}`, PART) : this.#page(cursor, this.cutting));
      const { kind, touched } = this.store.page(page, cursor, root);
      if (kind === "reset") await this.restart();
      // The link moves away or goes: the focus goes to the first of what it has shown.
      const hadFocus = link === focused(link);
      if (root || hadFocus) this.#goTo(page.comments[0]?.id, touched.size);
      this.view.show(touched);
      // The page is older than what was heard since: partial changes to its comments went by unseen.
      if (kind === "stale")
        this.live.apply(await this.#ask(`/changes?after=${page.version}&epoch=${encodeURIComponent(page.epoch)}`));
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== "ranking_forgotten") throw error;
      // An order that the server has forgotten has no further pages.
      await this.restart();
      this.live.say(error.message);
    } finally {
      link.ariaBusy = null;
    }
  }

  /** @param {number} id @param {number} count */
  #goTo(id, count) {
    const focus = () => {
      const article = /** @type {HTMLElement | null} */ (this.view.item(id)?.querySelector("article") ?? null);
      if (!article) return;
      article.tabIndex = -1;
      article.focus({ preventScroll: true });
      this.live.speak(t("thread.loaded", { count }));
    };
    this.view.addEventListener("settled", focus, { once: true });
  }

  /** Under each branch that is cut a link with the number of what is behind it, as the server draws it. */
  #drawLinks() {
    const cuts = new Map(this.store.cuts.map(({ root, cursor }) => [root, cursor]));
    for (const link of /** @type {NodeListOf<HTMLElement>} */ (this.view.list.querySelectorAll(".more-replies"))) {
      if (!cuts.has(Number(link.dataset.root))) link.parentElement?.remove();
    }
    const sort = this.store.sort === "oldest" ? "" : `sort=${this.store.sort}&`;
    for (const [root, cursor] of cuts) {
      const item = this.view.item(root);
      if (!item) continue;
      const link = item.querySelector(":scope > .rest > a") ?? this.#newLink(item, root);
      link.setAttribute("href", at(`/t/${this.thread}?${sort}branch=${root}&cursor=${cursor}`));
      const hidden = this.store.hidden(root);
      if (hidden === null) this.#recount(root);
      setText(link, hidden === null ? t("thread.more_replies_uncounted") : t("thread.more_replies", { count: hidden }));
      /** @type {HTMLElement} */ (link.parentElement).hidden = hidden === 0;
    }
  }

  /**
   * A page that begins inside of a branch does not know what comes before it: once something has happened there, only
   * the server knows how much is behind the link.
   * @param {number} root
   */
  async #recount(root) {
    if (this.#counting.has(root)) return;
    this.#counting.add(root);
    await new Promise((done) => setTimeout(done, RECOUNT_MS * (0.5 + Math.random())));
    const of = (/** @type {{root: number}} */ cut) => cut.root === root;
    const cursor = this.store.cuts.find(of)?.cursor;
    const page = cursor ? await this.#page(cursor, `&branch=${root}`, 1).catch(() => null) : null;
    this.#counting.delete(root);
    const cut = this.store.cuts.find(of);
    if (!page || !cut || cut.cursor !== cursor || page.epoch !== this.store.epoch) return;
    if (page.version >= cut.version) {
      const shown = page.comments.filter(({ state }) => state === "visible").length;
      Object.assign(cut, { count: shown + (page.cuts?.[root]?.count ?? 0), version: page.version });
    }
    this.view.refresh();
  }

  /** @param {HTMLElement} item @param {number} root */
  #newLink(item, root) {
    const place = item.ownerDocument.createElement("p");
    place.className = "rest";
    const link = item.ownerDocument.createElement("a");
    link.className = "more-replies";
    link.dataset.root = String(root);
    place.append(link);
    item.append(place);
    return link;
  }

  /** @param {string} cursor @param {string} rest of the query @param {number} [limit] @returns {Promise<Snapshot>} */
  #page(cursor, rest, limit = 200) {
    return this.#ask(`?limit=${limit}&sort=${this.store.sort}&cursor=${cursor}${rest}`);
  }

  /** @param {string} rest of the path */
  #ask(rest) {
    return ask("GET", `/api/threads/${this.thread}${rest}`);
  }
}
