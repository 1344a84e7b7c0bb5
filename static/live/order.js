/**
 * The order of comments: by a time that never changes, then by id. Pure.
 *
 * A key is [time, id]; a path is the keys from a root to a comment in one array, so that paths compare number by number.
 *
 * @typedef {import("./thread_store.js").Comment} Comment
 */

// Beyond any number of roots: ranked comments come before all times.
const RANKED = 2 ** 40;

export class Order {
  /** @type {Map<number, number>} */
  #times = new Map();
  /** @type {Map<number, number>} root → its place in the ranking, as far as it was loaded */
  #ranks = new Map();

  /** @param {string} sort oldest, newest, top or flat */
  constructor(sort) {
    this.sort = sort;
  }

  /**
   * Learn of what a page or a change brings. In the order top, the pages rank the roots as they bring them.
   * @param {Comment[]} comments @param {boolean} [isPage]
   */
  take(comments, isPage = false) {
    for (const { id, parent, created, placed } of comments) {
      if (created && !this.#times.has(id)) this.#times.set(id, Date.parse(placed ?? created));
      if (isPage && this.sort === "top" && !parent && !this.#ranks.has(id)) this.#ranks.set(id, this.#ranks.size);
    }
  }

  /**
   * Learn of the comment before the first page.
   * @param {string} start `TIME-ID` joined by dots, from its root on; "" at the beginning @returns {number[]} its path
   */
  begin(start) {
    if (!start) return [];
    const [time, root, ...rest] = start.split(/[.-]/).map(Number);
    this.#times.set(root, time);
    this.take([{ id: root, version: 0 }], true);
    return this.sort === "flat" ? [time, root, ...rest].slice(-2) : [...this.root(root), ...rest];
  }

  forget() {
    this.#times.clear();
    this.#ranks.clear();
  }

  /** The key of a root. Unranked roots come after the ranking, in time order. @param {number} id @returns {number[]} */
  root(id) {
    const [time] = this.key(id);
    if (this.sort === "newest") return [-time, -id];
    const rank = this.#ranks.get(id);
    return [rank === undefined ? time : rank - RANKED, id];
  }

  /** The key of a reply, or of any comment where all are in a row. @param {number} id @returns {number[]} */
  key(id) {
    return [this.#times.get(id) ?? 0, id];
  }
}

/** @param {number[]} path @returns {number} the id of its root, whichever way the roots are ordered */
export function rootOf(path) {
  return Math.abs(path[1]);
}

/** @param {number[]} one @param {number[]} other paths; a prefix comes first */
export function compare(one, other) {
  for (let place = 0; place < one.length && place < other.length; place++) {
    if (one[place] !== other[place]) return one[place] - other[place];
  }
  return one.length - other.length;
}
