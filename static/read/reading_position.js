/** Where one was in the thread: kept for this tab, and found again after a reload, Back or a log-in. */

import { tab } from "../live/browser_storage.js";
import { firstInSight, keep } from "../view/viewport.js";

const LEFT_FOR_LOG_IN_MS = 600_000;
const HANDS = ["wheel", "touchmove", "keydown", "pointerdown"];

/** @typedef {{id: number, root: number, top: number, path: string, at: number, isBack: boolean}} Kept */

export class Place {
  /** @type {Kept | null} where one was, until it is found or the reader goes elsewhere */
  #wanted = null;
  #isBack = false;
  isFromLogIn = false;

  /**
   * @param {import("../view/view.js").View} view @param {{isOwnPage: boolean, target: number, signal: AbortSignal}} page
   * `target`: the comment that the address names, or 0
   */
  constructor(view, { isOwnPage, target, signal }) {
    this.view = view;
    this.target = target;
    this.slot = `place:${view.thread}`;
    this.#wanted = this.#read();
    // Browsers measure from the top of the page; what stands there may have changed. Without storage they are better.
    if (isOwnPage) history.scrollRestoration = tab.keep("tries", "") ? "manual" : "auto";
    for (const type of HANDS) addEventListener(type, () => this.#let(), { signal, passive: true, once: true });
    if (!this.restore() && target && !this.#wanted) this.#goToTarget();
  }

  /** The comment that is still to be found, which a further page may hold; 0: none. */
  get missing() {
    const id = this.#wanted?.id ?? 0;
    return this.view.item(id) ? 0 : id;
  }

  /** The root of its branch. */
  get root() {
    return this.#wanted?.root ?? 0;
  }

  /** Bring the line to where it was. @returns {boolean} whether it is there */
  restore() {
    const item = this.#wanted && this.view.item(this.#wanted.id);
    if (!item || !this.#wanted) return false;
    keep({ item, top: this.#wanted.top });
    return true;
  }

  /** Keep where one is; `isBack`: whichever way one returns, it is to here. */
  keep(isBack = false) {
    this.#isBack ||= isBack;
    const line = scrollY > 0 ? firstInSight(this.view.list) : null;
    const id = Number(/** @type {HTMLElement | undefined} */ (line?.item)?.dataset.id);
    // Who returns before the place was found is still on the way there.
    const kept = this.missing ? this.#wanted : line && { id, root: this.#rootOf(line.item), top: line.top };
    if (!kept) tab.drop(this.slot);
    else tab.keep(this.slot, JSON.stringify({ ...kept, path: path(), at: Date.now(), isBack: this.#isBack }));
  }

  /** @param {Element} item */
  #rootOf(item) {
    const root = [...this.view.list.children].find((one) => one.contains(item));
    return Number(/** @type {HTMLElement | undefined} */ (root)?.dataset.id);
  }

  /** The reader goes elsewhere. */
  #let() {
    this.#wanted = null;
  }

  #goToTarget() {
    const item = this.view.item(this.target);
    item?.classList.add("target");
    this.view.goTo(item, "start");
  }

  /** @returns {Kept | null} */
  #read() {
    const [entry] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
    const kept = /** @type {Kept | null} */ (JSON.parse(tab.read(this.slot) ?? "null"));
    if (kept?.path !== path()) return null;
    this.isFromLogIn = kept.isBack && Date.now() - kept.at < LEFT_FOR_LOG_IN_MS;
    return this.isFromLogIn || entry?.type === "reload" || entry?.type === "back_forward" ? kept : null;
  }
}

const path = () => location.pathname + location.search;
