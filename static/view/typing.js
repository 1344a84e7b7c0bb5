/** Who else writes an answer to the same: in the place of the hint, until it is there, or for a while. */

import { t } from "../texts.js";

const SHOWN_MS = 5_000;
// What is typed is told with some delay, and may come after what it became.
const LATE_MS = 3_000;

export class Writers {
  /** @type {Map<number | null, {names: string[], ends: ReturnType<typeof setTimeout>}>} by parent */
  #writing = new Map();
  /** @type {Set<string>} who has just answered what */
  #done = new Set();

  #newest;

  /** @param {HTMLElement} root @param {string} viewer @param {number} newest the newest comment that is known */
  constructor(root, viewer, newest) {
    this.root = root;
    this.viewer = viewer;
    this.#newest = newest;
  }

  /** @param {number | null} parent @param {string[]} names */
  show(parent, names) {
    const others = names.filter((name) => name !== this.viewer && !this.#done.has(`${parent} ${name}`));
    if (!others.length) return;
    clearTimeout(this.#writing.get(parent)?.ends);
    const ends = setTimeout(() => this.#tell(parent, []), SHOWN_MS);
    this.#writing.set(parent, { names: others, ends });
    this.#tell(parent, others);
  }

  /** What was being written is there. @param {import("../live/thread_store.js").Comment} comment */
  drop({ id, parent = null, author }) {
    if (!author || id <= this.#newest) return;
    this.#newest = id;
    const done = `${parent} ${author.name}`;
    this.#done.add(done);
    setTimeout(() => this.#done.delete(done), LATE_MS);
    const writing = this.#writing.get(parent);
    if (!writing?.names.includes(author.name)) return;
    writing.names = writing.names.filter((name) => name !== author.name);
    this.#tell(parent, writing.names);
  }

  /** @param {number | null} parent @param {string[]} names */
  #tell(parent, names) {
    if (!names.length) {
      clearTimeout(this.#writing.get(parent)?.ends);
      this.#writing.delete(parent);
    }
    const place = this.root.querySelector(`form.composer[data-parent="${parent ?? ""}"] .hint`);
    if (!(place instanceof HTMLElement)) return;
    if (!names.length) delete place.dataset.typing;
    else
      place.dataset.typing = names[1] ? t("typing.many", { count: names.length }) : t("typing.one", { name: names[0] });
  }
}
