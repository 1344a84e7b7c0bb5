/** Which comments are unread: until they were half visible for a second, in a page that has the focus. */

const DWELL_MS = 1_000;

export class Unread {
  /** @type {Set<HTMLElement>} */
  #items = new Set();
  /** @type {WeakMap<HTMLElement, ReturnType<typeof setTimeout>>} */
  #dwelling = new WeakMap();

  /** How many wait behind links. */
  behind = 0;

  /** @param {Document} document @param {(item: HTMLElement) => void} changed called when one was read */
  constructor(document, changed) {
    this.document = document;
    this.changed = changed;
  }

  get size() {
    return this.#items.size + this.behind;
  }

  /** @param {HTMLElement} item */
  mark(item) {
    item.classList.add("unread");
    this.#items.add(item);
  }

  /** @param {HTMLElement} item */
  drop(item) {
    item.classList.remove("unread");
    this.#items.delete(item);
  }

  /** It is seen from now on, or not any more. @param {HTMLElement} item @param {boolean} isSeen */
  look(item, isSeen) {
    if (!this.#items.has(item)) return;
    clearTimeout(this.#dwelling.get(item));
    if (isSeen)
      this.#dwelling.set(
        item,
        setTimeout(() => this.#dwelt(item), DWELL_MS),
      );
  }

  /** @param {HTMLElement} item */
  #dwelt(item) {
    if (!this.document.hasFocus()) return this.look(item, true);
    this.drop(item);
    this.changed(item);
  }
}
