/**
 * Draws the thread: one flush per frame, and never a shift of what is being read. Touches only `root`, never the network.
 *
 * Events: `settled`, when everything that was taken is drawn or held; `read` (detail: the `li`), when one was read;
 * `going` (detail: the `li`), before one is brought into sight; `news` (detail: how many, and the change), when some have come.
 */

import { at } from "../live/addresses.js";
import { t } from "../texts.js";
import { fill, keepHeight, setText, showTime, vacate } from "./comment_item.js";
import { Unread } from "./unread.js";
import { firstInSight, isAnchored, isBelow, keep, placeOf } from "./viewport.js";

/** @typedef {import("../live/thread_store.js").Comment} Comment */

const INSERTIONS_IN_A_FLUSH = 200;
const CHANGES_IN_A_FLUSH = 1_000;

export class View extends EventTarget {
  /** Nonces of this reader's own posts: these are shown wherever they belong. @type {Set<string>} */
  own = new Set();
  /** @type {Map<number, HTMLElement>} */
  #items = new Map();
  /** @type {Set<number>} */
  #touched = new Set();
  /** @type {Set<number>} shown although they may move what is read: the reader asked for them */
  #asked = new Set();
  /** @type {Set<number>} drawable, and waiting behind the pill */
  #held = new Set();
  #frame = 0;
  /** The newest comment that the page knows of. */
  newest = 0;
  /** The viewer's own votes. @type {Map<number, number>} */
  votes = new Map();
  /** What the viewer has just edited here: shown at once. @type {Set<number>} */
  edited = new Set();
  #newWhileHidden = 0;

  /**
   * @param {HTMLElement} root @param {import("../live/thread_store.js").Store} store
   * @param {{thread: string, viewer: string, isOwnPage: boolean, signal: AbortSignal}} page
   * `isOwnPage`: its title may count what is new; `signal` ends it
   */
  constructor(root, store, { thread, viewer, isOwnPage, signal }) {
    super();
    this.root = root;
    this.store = store;
    this.thread = thread;
    this.viewer = viewer;
    this.document = root.ownerDocument;
    this.title = isOwnPage ? this.document.title : null;
    this.unread = new Unread(this.document, (item) => {
      this.#showCounts();
      this.dispatchEvent(new CustomEvent("read", { detail: item }));
    });
    this.list = this.#find("ol.comments");
    this.pill = /** @type {HTMLButtonElement} */ (this.#find(".pill"));
    this.unreadButton = /** @type {HTMLButtonElement} */ (this.#find("button.unread"));
    const template = /** @type {HTMLTemplateElement} */ (this.#find(".comment-template"));
    this.blank = /** @type {HTMLElement} */ (template.content.firstElementChild);
    this.observer = new IntersectionObserver((entries) => this.#see(entries), { threshold: [0, 0.5] });
    this.pill.addEventListener("click", () => this.reveal(), { signal });
    signal.addEventListener("abort", () => {
      this.observer.disconnect();
      cancelAnimationFrame(this.#frame);
      this.#showTitle(0);
    });
  }

  /** Read what the server rendered. @returns {Comment[]} as much of each comment as the store needs */
  hydrate() {
    /** @type {Comment[]} */
    const comments = [];
    for (const item of /** @type {NodeListOf<HTMLElement>} */ (this.list.querySelectorAll("li[data-id]"))) {
      const { id, parent, version, state, replies, revision, placed, arrived } = item.dataset;
      const vote = item.querySelector(":scope > article [aria-pressed=true]");
      if (vote) this.votes.set(Number(id), vote.matches(":first-child") ? 1 : -1);
      comments.push({
        id: Number(id),
        parent: parent ? Number(parent) : null,
        version: Number(version),
        state,
        replies: Number(replies),
        revision: Number(revision),
        created: item.querySelector("time")?.dateTime,
        placed,
        arrived: Number(arrived),
      });
      this.#items.set(Number(id), item);
      this.newest = Math.max(this.newest, Number(id));
      this.observer.observe(item);
    }
    this.tick();
    return comments;
  }

  /** How many comments are drawn. */
  get size() {
    return this.#items.size;
  }

  /** What waits to be asked for. */
  get held() {
    return this.#held;
  }

  /** The text that was edited while it was read. @param {HTMLElement} item */
  showEdited(item) {
    item.classList.remove("outdated");
    this.#fill(item, /** @type {Comment} */ (this.store.get(Number(item.dataset.id))));
  }

  /** @param {number} id */
  item(id) {
    return this.#items.get(id);
  }

  get isHidden() {
    return this.document.visibilityState === "hidden";
  }

  /** Draw again what depends on what was read or chosen; no comment has changed. */
  refresh = () => this.take([]);

  /** Something about these comments changed: draw it with the next frame. @param {Iterable<number>} touched */
  take(touched) {
    for (const id of touched) {
      if (this.isHidden && id > this.newest && this.store.get(id)?.state === "visible") this.#newWhileHidden++;
      this.newest = Math.max(this.newest, id);
      this.#touched.add(id);
    }
    this.#showCounts();
    this.#schedule();
  }

  /** Whether it was posted here. @param {Comment} comment */
  isOwn(comment) {
    return this.own.has(comment.nonce ?? "") && comment.author?.name === this.viewer;
  }

  /** The reader asked for these: they are shown wherever they are. @param {Iterable<number>} touched */
  show(touched) {
    for (const id of touched) this.#asked.add(id);
    this.take(touched);
  }

  /** Insert what is held, and go to the first of it. */
  reveal() {
    const held = [...this.#held];
    this.show(held);
    const goToFirst = () => this.goTo(/** @type {HTMLElement | null} */ (this.list.querySelector("li.unread")));
    this.addEventListener("settled", goToFirst, { once: true });
  }

  /** The page is seen again, or not any more. */
  visibilityChanged() {
    if (!this.isHidden) {
      this.#newWhileHidden = 0;
      this.#schedule();
    }
    this.#showCounts();
  }

  /** Say the time since in every comment; called each minute. */
  tick() {
    for (const time of this.list.querySelectorAll("time")) showTime(time, time.dateTime);
  }

  /** @param {string} nonce */
  removePending(nonce) {
    this.list.querySelector(`li.pending-post[data-nonce="${nonce}"]`)?.remove();
    this.showNone();
  }

  /** Who waits for a moderator has commented. */
  showNone() {
    this.#find(".none").hidden = Boolean(this.list.firstElementChild || this.root.querySelector(".unseen > *"));
  }

  #schedule() {
    if (this.isHidden || this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#flush();
    });
  }

  #flush() {
    // Parents were there before their replies.
    const ids = [...this.#touched].sort((one, other) => one - other).slice(0, CHANGES_IN_A_FLUSH);
    const line = isAnchored(this.list) ? null : firstInSight(this.list);
    // The layout is asked before anything changes.
    const places = new Map(ids.map((id) => [id, this.#placeOf(id)]));
    let insertions = 0;
    for (const id of ids) {
      if (insertions >= INSERTIONS_IN_A_FLUSH) break;
      this.#touched.delete(id);
      insertions += this.#draw(id, places);
    }
    keep(line);
    this.showNone();
    this.#showCounts();
    if (this.#touched.size) this.#schedule();
    else this.dispatchEvent(new Event("settled"));
  }

  /** Where the comment is, or would be. @param {number} id @returns {"above" | "in" | "below" | undefined} undefined: with its parent */
  #placeOf(id) {
    const item = this.#items.get(id);
    if (item) return placeOf(item);
    const list = this.store.get(id) && this.#childList(this.store.get(id)?.parent ?? null);
    return list ? (isBelow(list, this.#before(id)) ? "below" : "in") : undefined;
  }

  /**
   * @param {number} id @param {Map<number, "above" | "in" | "below" | undefined>} places
   * @returns {number} 1 where something was inserted
   */
  #draw(id, places) {
    const comment = this.store.get(id);
    const item = this.#items.get(id);
    const place = places.get(id);
    item?.closest(".measured")?.classList.remove("measured");
    if (!comment || !this.store.isDrawn(id)) {
      this.#held.delete(id);
      this.#asked.delete(id);
      if (item) this.#remove(item, comment, place);
      return 0;
    }
    if (item) {
      if (item.dataset.version !== String(comment.version)) this.#patch(item, comment, place);
      return 0;
    }
    // A nonce is public once the comment is: another's may bear it as well.
    const isOwn = this.isOwn(comment);
    const list = this.#childList(comment.parent ?? null);
    // What hangs below a comment of the same flush is where that is.
    const isOut = (place ?? places.get(comment.parent ?? 0)) === "below" || !this.list.firstElementChild;
    if (!list || !(isOwn || this.#asked.has(id) || isOut)) {
      this.#held.add(id);
      return 0;
    }
    if (!place) places.set(id, places.get(comment.parent ?? 0));
    const isNews = this.#held.has(id) || !this.#asked.has(id);
    this.#held.delete(id);
    this.#asked.delete(id);
    if (isOwn) this.removePending(/** @type {string} */ (comment.nonce));
    const fresh = this.#newItem();
    this.#fill(fresh, comment);
    list.closest(".measured")?.classList.remove("measured");
    const before = this.#before(id);
    if (before) before.after(fresh);
    else this.#firstPlace(list).before(fresh);
    this.#items.set(id, fresh);
    this.observer.observe(fresh);
    if (isNews && !isOwn && comment.state === "visible") this.unread.mark(fresh);
    return 1;
  }

  /** @param {HTMLElement} list @returns {ChildNode} what stands after the composer of an open reply */
  #firstPlace(list) {
    const first = list.firstElementChild;
    if (first?.classList.contains("answering")) {
      return first.nextSibling ?? list.appendChild(this.document.createTextNode(""));
    }
    return list.firstChild ?? list.appendChild(this.document.createTextNode(""));
  }

  /** @param {number} id @returns {HTMLElement | null} the drawn sibling before `id` */
  #before(id) {
    for (const sibling of this.store.before(id)) {
      const item = this.#items.get(sibling);
      if (item) return item;
    }
    return null;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #see(entries) {
    for (const { target, isIntersecting, boundingClientRect, rootBounds, intersectionRatio } of entries) {
      const item = /** @type {HTMLElement} */ (target);
      if (!isIntersecting) this.#release(item);
      const isTall = boundingClientRect.height > (rootBounds?.height ?? innerHeight);
      this.unread.look(item, isIntersecting && (intersectionRatio >= 0.5 || isTall));
    }
  }

  /** @param {HTMLElement} item @param {Comment} comment @param {string} [place] where it is in the window */
  #patch(item, comment, place) {
    const wasVisible = item.dataset.state === "visible";
    if (wasVisible && comment.state !== "visible" && place === "in") keepHeight(item);
    const isMine = this.edited.delete(comment.id);
    const isEdited = wasVisible && comment.state === "visible" && Number(item.dataset.revision) !== comment.revision;
    // A text that is being read is not changed under the eyes.
    const keepBody = isEdited && place === "in" && !isMine;
    item.classList.toggle("outdated", keepBody);
    this.#fill(item, comment, keepBody);
    if (keepBody) setText(/** @type {HTMLElement} */ (item.querySelector(".note")), t("comment.show_edited"));
  }

  /** Out of sight it needs its height no more. @param {HTMLElement} item */
  #release(item) {
    const article = /** @type {HTMLElement | null} */ (item.firstElementChild);
    if (!article?.style.minHeight) return;
    const line = isAnchored(this.list) ? null : firstInSight(this.list);
    if (item.classList.contains("gone")) item.remove();
    article.style.minHeight = "";
    keep(line);
  }

  /** @param {HTMLElement} item @param {Comment | undefined} comment @param {string} [place] */
  #remove(item, comment, place) {
    if (comment && item.querySelector("form.composer")) {
      // A reply to it is being written: the draft stays where it is.
      this.#patch(item, comment, place);
      return;
    }
    this.#items.delete(Number(item.dataset.id));
    this.unread.drop(item);
    if (!comment || place !== "in") {
      item.remove();
      return;
    }
    this.#patch(item, comment, place);
    vacate(item);
  }

  #newItem() {
    return /** @type {HTMLElement} */ (this.document.importNode(this.blank, true));
  }

  /** @param {HTMLElement} item @param {Comment} comment @param {boolean} [keepBody] */
  #fill(item, comment, keepBody) {
    const parent = comment.parent ? this.#items.get(comment.parent) : undefined;
    fill(item, comment, {
      thread: this.thread,
      viewer: this.viewer,
      moderates: this.root.hasAttribute("moderates"),
      depth: this.store.depth(comment),
      parentName: parent ? (parent.querySelector(".name")?.textContent ?? "") : null,
      vote: this.votes.get(comment.id) ?? 0,
      blank: this.blank,
      keepBody,
    });
  }

  /** @param {number | null} parent @returns {HTMLElement | null} where its replies hang, if it is drawn */
  #childList(parent) {
    return parent === null || this.store.sort === "flat"
      ? this.list
      : (this.#items.get(parent)?.querySelector(":scope > ol") ?? null);
  }

  #showCounts() {
    const { count, next, behind, locked } = this.store;
    this.root.toggleAttribute("locked", locked);
    this.#find(".locked").hidden = !locked;
    setText(this.#find(".count"), t("count.number", { count }));
    setText(this.#find(".noun"), t("count.comments", { count }));
    const held = [...this.#held].filter((id) => this.store.get(id)?.state === "visible").length;
    // No arrow: one stands beside it and leads to what is unread. The mark keeps the sign before the number.
    setText(this.pill, `\u200e+${t("count.number", { count: held })}`);
    this.pill.ariaLabel = t("unread.new_comments", { count: held });
    this.pill.hidden = !held;
    // One number at a time.
    setText(this.unreadButton, `${held ? t("unread.next") : t("unread.count", { count: this.unread.size })} ↓`);
    this.unreadButton.hidden = !this.unread.size;
    const more = /** @type {HTMLAnchorElement} */ (this.#find(".more"));
    more.hidden = !next;
    const sort = this.store.sort === "oldest" ? "" : `sort=${this.store.sort}&`;
    more.href = at(`/t/${this.thread}?${sort}cursor=${next}`);
    setText(more, behind ? t("thread.more_counted", { count: behind }) : t("thread.more"));
    this.#showTitle(this.isHidden ? this.#newWhileHidden : 0);
  }

  /** @param {number} count of what came while nobody looked */
  #showTitle(count) {
    if (this.title === null) return;
    const title = count ? `(${count}) ${this.title}` : this.title;
    if (this.document.title !== title) this.document.title = title;
  }

  /** Bring it before the eyes, and the focus to it. @param {HTMLElement | null | undefined} item @param {ScrollLogicalPosition} [block] */
  goTo(item, block = "center") {
    if (!item) return;
    this.dispatchEvent(new CustomEvent("going", { detail: item }));
    const article = /** @type {HTMLElement} */ (item.querySelector("article"));
    article.tabIndex = -1;
    article.focus({ preventScroll: true });
    // Of what is higher than the window one begins at its top.
    article.scrollIntoView({ block: article.offsetHeight > innerHeight / 2 ? "start" : block });
  }

  /** @param {string} selector @returns {HTMLElement} */
  #find(selector) {
    return /** @type {HTMLElement} */ (this.root.querySelector(selector));
  }
}
