/**
 * The state of one thread as this client knows it. Pure: knows no DOM, no network, and runs in Node.
 *
 * A comment is placed when its parents are known and it lies between `start` and the frontier (the last comment of the
 * pages that were loaded), and, where its branch is cut, before the cut; everything else is kept aside. Only snapshots,
 * changes and joined move the position.
 *
 * @typedef {{name: string, avatar: string, badge: string | null, picture?: string}} Author
 * @typedef {{id: number, version: number, parent?: number | null, state?: string, revision?: number,
 *   author?: Author | null, html?: string, created?: string, placed?: string, arrived?: number,
 *   edited?: string | null, score?: number, replies?: number, nonce?: string}} Comment
 * @typedef {{title: string, locked: boolean, comments: number, moved?: string}} Info
 * @typedef {{thread?: string, epoch: string, after: number, version: number, comments: Comment[], info: Info,
 *   branches?: Record<string, number>}} Change
 * @typedef {{cursor: string, count: number, below: number}} Cut where a branch goes on, how many visible comments are
 *   behind that, and how many hang below its root in all
 * @typedef {Record<string, Cut>} Cuts by root
 * @typedef {{thread?: string, epoch: string, version: number, info: Info, comments: Comment[], next: string | null, cuts?: Cuts}} Snapshot
 */

import { compare, Order, rootOf } from "./order.js";

const BEYOND_ALL = 2 ** 53;

export class Store {
  /** @type {Map<number, Comment>} */
  #placed = new Map();
  /** @type {Map<number, Comment>} */
  #aside = new Map();
  /** @type {Map<number, Set<number>>} parent's id → ids aside that wait for it */
  #waiting = new Map();
  /** @type {Map<number, number[]>} parent's id (0: roots) → placed children in order */
  #children = new Map();
  /** @type {Map<number, number>} id → visible placed descendants */
  #below = new Map();
  #order;
  /** @type {number[]} */
  #start;
  /** @type {number[]} */
  #frontier = [];
  #visible = 0;
  /** @type {Map<number, {root: number, cursor: string, end: number[], count: number | null, below: number,
   *   version: number}>} root → up to where its branch is loaded; `below` is of `version` */
  #cuts = new Map();

  /**
   * @param {{epoch: string, version: number, next?: string, start?: string, count?: number, sort?: string,
   *   locked?: boolean}} page
   * `start`: `TIME-ID` joined by dots, the path of the comment before the first page ("" at the beginning);
   * `sort`: oldest, newest, top (as the pages rank the roots) or flat
   */
  constructor({ epoch, version, next = "", start = "", count = 0, sort = "oldest", locked = false }) {
    this.sort = sort;
    this.locked = locked;
    this.epoch = epoch;
    this.version = version;
    this.next = next;
    this.count = count;
    this.#order = new Order(sort);
    this.#start = this.#order.begin(start);
  }

  /** How many visible comments wait behind "More comments"; unknown (null) when the page does not begin the thread. */
  get behind() {
    if (this.#start.length) return null;
    let behind = this.count - this.#visible;
    for (const { root } of this.#cuts.values()) behind -= this.hidden(root) ?? 0;
    return Math.max(0, behind);
  }

  /** @returns {{root: number, cursor: string, count: number | null, version: number}[]} the cut branches */
  get cuts() {
    return [...this.#cuts.values()];
  }

  /** How many visible comments of its branch wait behind "More replies"; null: unknown. @param {number} root */
  hidden(root) {
    const cut = this.#cuts.get(root);
    if (!cut) return 0;
    // What comes before `start` was never seen: the server's number holds until something happens in the branch.
    if (rootOf(this.#start) === root && this.#start[2] < BEYOND_ALL) return cut.count;
    return Math.max(0, cut.below - (this.#below.get(root) ?? 0));
  }

  /** Say whether a comment is known, and waits behind "More replies". @param {number} id */
  isCutOff(id) {
    const comment = this.#aside.get(id);
    return Boolean(comment && this.#placed.has(this.#above(comment)) && this.#isBehindCut(this.#path(id)));
  }

  /** @param {number} id */
  get(id) {
    return this.#placed.get(id);
  }

  /** @param {Comment} comment @returns {number} 0 for a root */
  depth(comment) {
    if (this.sort === "flat") return 0;
    return this.#path(comment.id, comment.parent ?? null).length - 1;
  }

  /** @param {number} id A tombstone without visible descendants, shown or behind a link, is not drawn. */
  isDrawn(id) {
    const comment = this.#placed.get(id);
    if (!comment) return false;
    if (this.sort === "flat") return comment.state === "visible";
    return comment.state === "visible" || (this.#below.get(id) ?? 0) > 0 || this.hidden(id) !== 0;
  }

  /** @returns {Generator<Comment>} what is drawn, in the order of reading */
  *drawn() {
    const waiting = [...(this.#children.get(0) ?? [])].reverse();
    while (waiting.length) {
      const id = /** @type {number} */ (waiting.pop());
      if (!this.isDrawn(id)) continue;
      yield/** @type {Comment} */ (this.#placed.get(id));
      const children = this.#children.get(id) ?? [];
      for (let place = children.length - 1; place >= 0; place--) waiting.push(children[place]);
    }
  }

  /**
   * Take the comments that the server rendered. They are of `version`, whichever version each bears.
   * @param {Comment[]} comments parents before replies @param {Cuts} [cuts]
   */
  hydrate(comments, cuts) {
    this.#order.take(comments, true);
    for (const comment of comments) this.#insert(comment, new Set());
    this.#moveFrontier(this.next, cuts, this.version, new Set());
  }

  /**
   * Apply a change. "gap" and "reset" change nothing: ask for the diff, or load the thread again.
   * @param {Change} change
   * @returns {{kind: "applied" | "gap" | "reset", touched: Set<number>}}
   */
  apply(change) {
    const touched = /** @type {Set<number>} */ (new Set());
    if (change.epoch !== this.epoch) return { kind: "reset", touched };
    if (change.after > this.version) return { kind: "gap", touched };
    this.#takeAll(change.comments, touched);
    for (const [root, below] of Object.entries(change.branches ?? {})) {
      const cut = this.#cuts.get(Number(root));
      if (!cut || change.version <= cut.version) continue;
      Object.assign(cut, { below, count: null, version: change.version });
    }
    // An older change may repeat what is known, but its count is of its own time.
    if (change.version >= this.version) this.#told(change.info);
    this.version = Math.max(this.version, change.version);
    return { kind: "applied", touched };
  }

  /** @param {{epoch: string, version: number}} joined @returns {boolean} false: another epoch, load again */
  joined({ epoch, version }) {
    if (epoch !== this.epoch) return false;
    this.version = Math.max(this.version, version);
    return true;
  }

  /** The answer to an own write: newer or nothing, and no position moves. @param {Comment} comment */
  answer(comment) {
    const touched = /** @type {Set<number>} */ (new Set());
    const isVisible = () => (this.#placed.get(comment.id) ?? this.#aside.get(comment.id))?.state === "visible";
    const before = Number(isVisible());
    this.#takeAll([comment], touched);
    // Until the echo tells them, the counts move with it: what waits behind a link stays the same.
    const delta = comment.version > this.version ? Number(isVisible()) - before : 0;
    this.count += delta;
    const cut = this.#cuts.get(rootOf(this.#path(comment.id)));
    if (cut) cut.below += delta;
    return touched;
  }

  /**
   * Take the page after the present frontier, or the next part of a branch. Below the position ("stale") the diff after
   * it is owed as well.
   * @param {Snapshot} page @param {string} cursor the `next`, or the branch's, that it was asked with
   * @param {number} [root] of the branch
   * @returns {{kind: "applied" | "stale" | "reset" | "unasked", touched: Set<number>}}
   */
  page(page, cursor, root) {
    const touched = /** @type {Set<number>} */ (new Set());
    if (page.epoch !== this.epoch) return { kind: "reset", touched };
    const asked = root ? this.#cuts.get(root)?.cursor : this.next;
    if (cursor !== asked) return { kind: "unasked", touched };
    if (root && !page.cuts?.[root]) this.#cuts.delete(root);
    this.#order.take(page.comments, true);
    this.#setAsideOrMerge(page.comments);
    this.#moveFrontier(root ? this.next : (page.next ?? ""), page.cuts, page.version, touched, page.comments);
    if (page.version >= this.version) this.#told(page.info);
    return { kind: page.version < this.version ? "stale" : "applied", touched };
  }

  /** Start again from the first page. @param {Snapshot} page @returns {Set<number>} every id that was or is known */
  reset(page) {
    const touched = new Set(this.#placed.keys());
    for (const map of [this.#placed, this.#aside, this.#waiting, this.#children, this.#below, this.#cuts]) map.clear();
    this.#order.forget();
    this.#order.take(page.comments, true);
    this.#start = [];
    this.#frontier = [];
    this.#visible = 0;
    this.epoch = page.epoch;
    this.version = page.version;
    this.#told(page.info);
    this.#setAsideOrMerge(page.comments);
    this.#moveFrontier(page.next ?? "", page.cuts, page.version, touched, page.comments);
    return touched;
  }

  /** @param {Info} info */
  #told({ comments, locked }) {
    this.count = comments;
    this.locked = locked;
  }

  /** @param {Comment[]} comments @param {Set<number>} touched */
  #takeAll(comments, touched) {
    this.#order.take(comments);
    // Parents were there before their replies.
    for (const comment of [...comments].sort((one, other) => one.id - other.id)) this.#take(comment, touched);
  }

  /** @param {Comment} comment @param {Set<number>} touched */
  #take(comment, touched) {
    const placed = this.#placed.get(comment.id);
    if (placed) {
      if (comment.version <= placed.version) return;
      const merged = { ...placed, ...comment };
      this.#placed.set(comment.id, merged);
      touched.add(comment.id);
      const delta = Number(merged.state === "visible") - Number(placed.state === "visible");
      if (delta) {
        this.#visible += delta;
        this.#countAbove(merged.parent ?? null, delta, touched);
      }
      return;
    }
    const aside = this.#aside.get(comment.id);
    if (aside ? comment.version <= aside.version : comment.state === undefined) return;
    const whole = aside ? { ...aside, ...comment } : comment;
    if (this.#fits(whole)) this.#insert(whole, touched);
    else this.#setAside(whole);
  }

  /** @param {Comment} comment */
  #setAside(comment) {
    this.#aside.set(comment.id, comment);
    const parent = this.#above(comment);
    const waiting = this.#waiting.get(parent) ?? new Set();
    this.#waiting.set(parent, waiting.add(comment.id));
  }

  /** @param {Comment[]} comments */
  #setAsideOrMerge(comments) {
    for (const comment of comments) {
      const known = this.#aside.get(comment.id);
      if (this.#placed.has(comment.id)) this.#take(comment, new Set());
      else if (!known || comment.version > known.version) this.#setAside({ ...known, ...comment });
    }
  }

  /**
   * Place what has come between the old frontier and cuts and the new ones, which are of `version`.
   * @param {string} next @param {Cuts | undefined} cuts @param {number} version @param {Set<number>} touched
   * @param {Comment[]} [loaded]
   */
  #moveFrontier(next, cuts = {}, version, touched, loaded = []) {
    this.next = next;
    // The name of a ranking may stand before it, and behind it that the whole branch was visited.
    this.#frontier = next ? this.#path(Number.parseInt(next.slice(next.lastIndexOf(".") + 1), 10)) : [];
    if (next.endsWith("~")) this.#frontier.push(BEYOND_ALL, BEYOND_ALL);
    for (const [id, cut] of Object.entries(cuts)) {
      const root = Number(id);
      this.#cuts.set(root, { root, end: this.#path(Number(cut.cursor)), version, ...cut });
    }
    // What the page itself brought is placed first: parents stand before their replies in it.
    const known = [...loaded.map(({ id }) => id), ...[...this.#aside.keys()].sort((one, other) => one - other)];
    for (const id of known) {
      const comment = this.#aside.get(id);
      if (comment && this.#fits(comment)) this.#insert(comment, touched);
    }
  }

  /** @param {Comment} comment */
  #fits(comment) {
    const parent = this.#above(comment);
    if (parent && !this.#placed.has(parent)) return false;
    const path = this.#path(comment.id, comment.parent ?? null);
    if (this.#start.length && compare(path, this.#start) <= 0) return false;
    if (this.#isBehindCut(path)) return false;
    return !this.#frontier.length || compare(path, this.#frontier) <= 0;
  }

  /** @param {number[]} path */
  #isBehindCut(path) {
    const end = this.#cuts.get(rootOf(path))?.end;
    return Boolean(end && compare(path, end) > 0);
  }

  /** What it hangs below: nothing in the flat view. @param {Comment} comment */
  #above(comment) {
    return this.sort === "flat" ? 0 : (comment.parent ?? 0);
  }

  /** @param {number} id @returns {Generator<number>} the siblings before it, the nearest first */
  *before(id) {
    const comment = this.#placed.get(id);
    const siblings = (comment && this.#children.get(this.#above(comment))) ?? [];
    for (let place = siblings.indexOf(id) - 1; place >= 0; place--) yield siblings[place];
  }

  /** @param {number} id @param {number | null} [parent] @returns {number[]} times and ids from the root to this comment */
  #path(id, parent) {
    if (this.sort === "flat") return this.#order.key(id);
    const known = (/** @type {number} */ one) => this.#placed.get(one) ?? this.#aside.get(one);
    const path = [];
    let root = id;
    let above = parent === undefined ? known(id)?.parent : parent;
    while (above) {
      path.push(...this.#order.key(root).reverse());
      root = above;
      above = known(above)?.parent;
    }
    return [...this.#order.root(root), ...path.reverse()];
  }

  /** @param {Comment} comment @param {Set<number>} touched */
  #insert(comment, touched) {
    const { id } = comment;
    const parent = this.#above(comment);
    this.#aside.delete(id);
    this.#waiting.get(parent)?.delete(id);
    this.#placed.set(id, comment);
    touched.add(id);
    const siblings = this.#children.get(parent) ?? [];
    const key = (/** @type {number} */ one) => (parent ? this.#order.key(one) : this.#order.root(one));
    let place = siblings.length;
    while (place && compare(key(siblings[place - 1]), key(id)) > 0) place--;
    siblings.splice(place, 0, id);
    this.#children.set(parent, siblings);
    if (comment.state === "visible") {
      this.#visible++;
      this.#countAbove(comment.parent ?? null, 1, touched);
    }
    for (const child of [...(this.#waiting.get(id) ?? [])].sort((one, other) => one - other)) {
      const waiting = this.#aside.get(child);
      if (waiting && this.#fits(waiting)) this.#insert(waiting, touched);
    }
  }

  /** @param {number | null} above @param {number} delta @param {Set<number>} touched */
  #countAbove(above, delta, touched) {
    while (above) {
      this.#below.set(above, (this.#below.get(above) ?? 0) + delta);
      const comment = this.#placed.get(above);
      if (comment?.state !== "visible") touched.add(above);
      above = comment?.parent ?? null;
    }
  }
}
