/** Branches that are folded: by the line beside their replies or a button, remembered in this browser, with a count of what is in them. */

import { browser } from "../live/browser_storage.js";
import { t } from "../texts.js";
import { setText } from "../view/comment_item.js";
import { firstInSight, keep } from "../view/viewport.js";

const MOST_REMEMBERED = 500;
const SOON_MS = 200;
const ITEM = /** @type {"li"} */ ("li[data-id]");

export class Folds {
  /** @type {Set<number>} */
  #folded;
  /** Not with every flush of a lively thread. @type {ReturnType<typeof setTimeout> | undefined} */
  #soon;
  /** Whose replies or line are others since then. @type {Set<HTMLElement>} */
  #changed = new Set();
  /** @type {WeakMap<Element, HTMLButtonElement>} */
  #buttons = new WeakMap();

  /** @param {import("../live_thread.js").Live} live @param {AbortSignal} signal ends it */
  constructor({ root, view, thread, store, place }, signal) {
    this.view = view;
    this.store = store;
    this.slot = `folded:${thread}`;
    this.#folded = new Set(remembered(this.slot));
    const soon = () => {
      if (this.#changed.size) this.#soon ??= setTimeout(() => this.#drawChanged(), SOON_MS);
    };
    // What is new in a folded branch may have been found out later.
    const settled = () => {
      for (const id of this.#folded) {
        const item = view.item(id);
        if (item) this.#changed.add(item);
      }
      soon();
    };
    view.addEventListener("settled", settled, { signal });
    const observer = new MutationObserver((records) => {
      for (const { target } of records) {
        const item = /** @type {Element} */ (target).matches?.("ol, footer") && target.parentElement?.closest(ITEM);
        if (item) this.#changed.add(item);
      }
      soon();
    });
    view.addEventListener("going", (event) => this.#open(/** @type {CustomEvent<HTMLElement>} */ (event).detail), {
      signal,
    });
    view.list.addEventListener("click", (event) => this.#pressed(event), { signal });
    signal.addEventListener("abort", () => {
      observer.disconnect();
      clearTimeout(this.#soon);
      for (const button of root.querySelectorAll(".fold")) button.remove();
    });
    // A link leads into a branch whatever became of it here.
    for (let id = place.target; id; id = store.get(id)?.parent ?? 0) if (id !== place.target) this.#folded.delete(id);
    const line = firstInSight(view.list);
    for (const item of view.list.querySelectorAll(ITEM)) this.#draw(item);
    keep(line);
    observer.observe(view.list, { childList: true, subtree: true });
  }

  /** The line is what no comment covers. @param {MouseEvent} event */
  #pressed({ target }) {
    const branch = target instanceof HTMLLIElement ? target.parentElement?.closest("li[data-id]") : null;
    if (branch instanceof HTMLElement) this.toggle(branch);
  }

  /** Fold or open the branch of a comment. @param {HTMLElement} item */
  toggle(item) {
    const id = Number(item.dataset.id);
    const line = { item, top: item.getBoundingClientRect().top };
    if (this.#folded.has(id)) this.#folded.delete(id);
    else this.#folded.add(id);
    browser.keep(this.slot, JSON.stringify([...this.#folded].slice(-MOST_REMEMBERED)));
    this.#draw(item);
    // What is folded ends under the hand: its head stays in sight.
    if (line.top < 0) item.scrollIntoView({ block: "start" });
    else keep(line);
  }

  /** Where one goes, all above it is open. @param {HTMLElement} item */
  #open(item) {
    for (let above = folded(item); above; above = folded(above)) this.toggle(above);
  }

  #drawChanged() {
    this.#soon = undefined;
    const due = new Set(this.#changed);
    this.#changed.clear();
    // What is folded says what is in it.
    for (const item of due) {
      for (let above = folded(item); above; above = folded(above)) due.add(above);
    }
    for (const item of due) this.#draw(item);
  }

  /** A branch has its button; a folded one says what is in it. @param {HTMLElement} item */
  #draw(item) {
    let button = this.#buttons.get(item);
    if (!item.querySelector(":scope > ol > li[data-id]")) {
      button?.remove();
      this.#buttons.delete(item);
      return;
    }
    const isFolded = this.#folded.has(Number(item.dataset.id));
    if (!button) {
      button = item.ownerDocument.createElement("button");
      button.type = "button";
      button.className = "fold";
      button.addEventListener("click", () => this.toggle(item));
      this.#buttons.set(item, button);
    }
    // The line is drawn again where a comment becomes another.
    const footer = item.querySelector(":scope > article > footer");
    if (button.parentElement !== footer) footer?.append(button);
    item.classList.toggle("folded", isFolded);
    button.ariaExpanded = String(!isFolded);
    const name = item.querySelector(".name")?.textContent ?? "";
    button.ariaLabel = isFolded ? null : t("fold.fold", { name });
    setText(button, isFolded ? this.#says(item) : "▾");
  }

  /** @param {HTMLElement} item */
  #says(item) {
    const count = item.querySelectorAll(":scope > ol li[data-state=visible]").length;
    const fresh = item.querySelectorAll(":scope > ol li.unread").length;
    const arrow = item.closest("[dir=rtl]") ? "◂" : "▸";
    return `${arrow} ${t("fold.replies", { count })}${fresh ? t("since.separator") + t("since.new", { count: fresh }) : ""}`;
  }
}

/** @param {HTMLElement} item @returns {HTMLElement | null | undefined} the nearest folded branch that it is in */
const folded = (item) => item.parentElement?.closest("li.folded");

/** @param {string} slot @returns {number[]} */
function remembered(slot) {
  try {
    return JSON.parse(browser.read(slot) ?? "[]");
  } catch {
    return [];
  }
}
