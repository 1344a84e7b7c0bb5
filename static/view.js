/**
 * Draws the thread: one flush per frame, and never a shift of what is being read. Touches only `root`, never the network.
 *
 * Events: `settled`, when everything that was taken is drawn or held; `read` (detail: the `li`), when one was read.
 */

import { fill, fillPending, setText, showTime, vacate } from "./item.js";
import { Unread } from "./unread.js";
import * as words from "./words.js";

/** @typedef {import("./store.js").Comment} Comment */

const INSERTIONS_IN_A_FLUSH = 200;

export class View extends EventTarget {
  /** Nonces of this reader's own posts: these are shown wherever they belong. @type {Set<string>} */
  own = new Set();
  /** @type {Map<number, HTMLElement>} */
  #items = new Map();
  /** @type {WeakMap<Element, "above" | "in" | "below">} */
  #where = new WeakMap();
  /** @type {Set<number>} */
  #touched = new Set();
  /** @type {Set<number>} shown although they may move what is read: the reader asked for them */
  #asked = new Set();
  /** @type {Set<number>} drawable, and waiting behind the pill */
  #held = new Set();
  #frame = 0;
  #newest = 0;
  /** The viewer's own votes. @type {Map<number, number>} */
  votes = new Map();
  /** What the viewer has edited here: shown at once. @type {Set<number>} */
  edited = new Set();
  #newWhileHidden = 0;

  /**
   * @param {HTMLElement} root @param {import("./store.js").Store} store
   * @param {{thread: string, viewer: string}} page
   */
  constructor(root, store, { thread, viewer }) {
    super();
    this.root = root;
    this.store = store;
    this.thread = thread;
    this.viewer = viewer;
    this.document = root.ownerDocument;
    this.title = this.document.title;
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
    this.pill.addEventListener("click", () => this.reveal());
  }

  end() {
    this.observer.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  /** Read what the server rendered. @returns {Comment[]} as much of each comment as the store needs */
  hydrate() {
    /** @type {Comment[]} */
    const comments = [];
    for (const item of /** @type {NodeListOf<HTMLElement>} */ (this.list.querySelectorAll("li[data-id]"))) {
      const { id, parent, version, state, replies, revision } = item.dataset;
      const vote = item.querySelector(":scope > article [aria-pressed=true]");
      if (vote) this.votes.set(Number(id), vote.matches(":first-child") ? 1 : -1);
      comments.push({
        id: Number(id),
        parent: parent ? Number(parent) : null,
        version: Number(version),
        state,
        replies: Number(replies),
        revision: Number(revision),
      });
      this.#items.set(Number(id), item);
      this.#newest = Math.max(this.#newest, Number(id));
      this.observer.observe(item);
    }
    this.tick();
    return comments;
  }

  /** The newest comment that the page knows of. */
  get newest() {
    return this.#newest;
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

  /** Something about these comments changed: draw it with the next frame. @param {Iterable<number>} touched */
  take(touched) {
    for (const id of touched) {
      if (this.isHidden && id > this.#newest && this.store.get(id)?.state === "visible") this.#newWhileHidden++;
      this.#newest = Math.max(this.#newest, id);
      this.#touched.add(id);
    }
    this.#showCounts();
    this.#schedule();
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

  /** @param {{nonce: string, parent: number | null, body: string}} post */
  showPending(post) {
    const item = this.#newItem();
    fillPending(item, post, this.viewer);
    this.#childList(post.parent)?.append(item);
    this.#find(".none").hidden = true;
  }

  /** @param {string} nonce */
  removePending(nonce) {
    this.list.querySelector(`li.pending-post[data-nonce="${nonce}"]`)?.remove();
    this.#find(".none").hidden = Boolean(this.list.firstElementChild);
  }

  #schedule() {
    if (this.isHidden || this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#flush();
    });
  }

  #flush() {
    let insertions = 0;
    // Parents are older than their replies.
    for (const id of [...this.#touched].sort((one, other) => one - other)) {
      if (insertions >= INSERTIONS_IN_A_FLUSH) break;
      this.#touched.delete(id);
      insertions += this.#draw(id);
    }
    this.#find(".none").hidden = Boolean(this.list.firstElementChild);
    this.#showCounts();
    if (this.#touched.size) this.#schedule();
    else this.dispatchEvent(new Event("settled"));
  }

  /** @param {number} id @returns {number} 1 where something was inserted */
  #draw(id) {
    const comment = this.store.get(id);
    const item = this.#items.get(id);
    if (!comment || !this.store.isDrawn(id)) {
      this.#held.delete(id);
      this.#asked.delete(id);
      if (item) this.#remove(item, comment);
      return 0;
    }
    if (item) {
      if (item.dataset.version !== String(comment.version)) this.#patch(item, comment);
      return 0;
    }
    const isOwn = comment.nonce !== undefined && this.own.has(comment.nonce);
    const list = this.#childList(comment.parent ?? null);
    const before = list && this.#before(id);
    if (!list || !(isOwn || this.#asked.has(id) || this.#isOutOfSight(list, before))) {
      this.#held.add(id);
      return 0;
    }
    const isNews = this.#held.has(id) || !this.#asked.has(id);
    this.#held.delete(id);
    this.#asked.delete(id);
    if (isOwn) this.removePending(/** @type {string} */ (comment.nonce));
    const fresh = this.#newItem();
    this.#fill(fresh, comment);
    if (before) before.after(fresh);
    else this.#firstPlace(list).before(fresh);
    this.#items.set(id, fresh);
    // It is where it was put until the observer has looked.
    this.#where.set(fresh, "below");
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

  /** Say whether an insertion there moves nothing that is read. @param {HTMLElement} list @param {HTMLElement | null} before */
  #isOutOfSight(list, before) {
    let last = before;
    for (let deeper = last; deeper; ) {
      last = deeper;
      const inner = deeper.querySelector(":scope > ol")?.lastElementChild;
      deeper = inner instanceof HTMLElement && inner.dataset.id ? inner : null;
    }
    last ??= /** @type {HTMLElement | null} */ (list.closest("li[data-id]"));
    return last ? this.#placeOf(last) === "below" : !list.querySelector("li[data-id]");
  }

  /** Inside a branch that is out of sight nothing is laid out, so its root is asked first. @param {HTMLElement} item */
  #placeOf(item) {
    let root = item;
    while (root.parentElement !== this.list && root.parentElement) {
      root = /** @type {HTMLElement} */ (root.parentElement.closest("li") ?? this.list);
    }
    const place = this.#where.get(root);
    return place === "in" ? this.#where.get(item) : place;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #see(entries) {
    for (const { target, isIntersecting, boundingClientRect, rootBounds, intersectionRatio } of entries) {
      const item = /** @type {HTMLElement} */ (target);
      const height = rootBounds?.height ?? innerHeight;
      const place = isIntersecting ? "in" : boundingClientRect.top >= height ? "below" : "above";
      this.#where.set(item, place);
      if (place !== "in") this.#release(item);
      this.unread.look(item, isIntersecting && (intersectionRatio >= 0.5 || boundingClientRect.height > height));
    }
  }

  /** @param {HTMLElement} item @param {Comment} comment */
  #patch(item, comment) {
    const wasVisible = item.dataset.state === "visible";
    if (wasVisible && comment.state !== "visible") this.#keepHeight(item);
    const isEdited = wasVisible && comment.state === "visible" && Number(item.dataset.revision) !== comment.revision;
    // A text that is being read is not changed under the eyes.
    const keepBody = isEdited && this.#placeOf(item) === "in" && !this.edited.has(comment.id);
    item.classList.toggle("outdated", keepBody);
    this.#fill(item, comment, keepBody);
    if (keepBody) setText(/** @type {HTMLElement} */ (item.querySelector(".note")), "Edited – show");
  }

  /** What is in sight keeps its height until it is out of it. @param {HTMLElement} item */
  #keepHeight(item) {
    const body = /** @type {HTMLElement | null} */ (item.querySelector(".body"));
    if (body && this.#placeOf(item) === "in") body.style.minHeight = `${body.offsetHeight}px`;
  }

  /** @param {HTMLElement} item */
  #release(item) {
    if (item.classList.contains("gone")) item.remove();
    const body = /** @type {HTMLElement | null} */ (item.querySelector(".body"));
    if (body?.style.minHeight) body.style.minHeight = "";
  }

  /** @param {HTMLElement} item @param {Comment | undefined} comment */
  #remove(item, comment) {
    if (comment && item.querySelector("form.composer")) {
      // Somebody is answering it: what they write stays where it is.
      this.#patch(item, comment);
      return;
    }
    this.#items.delete(Number(item.dataset.id));
    this.unread.drop(item);
    if (!comment || this.#placeOf(item) !== "in") {
      item.remove();
      return;
    }
    this.#patch(item, comment);
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
    setText(this.#find(".count"), String(count));
    setText(this.#find(".noun"), count === 1 ? "comment" : "comments");
    const held = [...this.#held].filter((id) => this.store.get(id)?.state === "visible").length;
    setText(this.pill, `↑ ${words.comments(held, "new ")}`);
    this.pill.hidden = !held;
    setText(this.unreadButton, `${this.unread.size} unread ↓`);
    this.unreadButton.hidden = !this.unread.size;
    const more = /** @type {HTMLAnchorElement} */ (this.#find(".more"));
    more.hidden = !next;
    const sort = this.store.sort === "oldest" ? "" : `sort=${this.store.sort}&`;
    more.href = `/t/${this.thread}?${sort}cursor=${next}`;
    setText(more, `More comments${behind ? ` (${behind})` : ""}`);
    const title = this.isHidden && this.#newWhileHidden ? `(${this.#newWhileHidden}) ${this.title}` : this.title;
    if (this.document.title !== title) this.document.title = title;
  }

  /** Bring it before the eyes, and the focus to it. @param {HTMLElement | null | undefined} item */
  goTo(item) {
    if (!item) return;
    const article = /** @type {HTMLElement} */ (item.querySelector("article"));
    article.tabIndex = -1;
    article.focus({ preventScroll: true });
    article.scrollIntoView({ block: "center" });
  }

  /** @param {string} selector @returns {HTMLElement} */
  #find(selector) {
    return /** @type {HTMLElement} */ (this.root.querySelector(selector));
  }
}
