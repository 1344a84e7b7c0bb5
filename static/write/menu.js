/** What can be done with one comment, behind its "…": a menu over the thread, by mouse and by keys. */

import { at } from "../live/addresses.js";
import { t } from "../texts.js";
import { focused } from "../view/selection.js";

const MARGIN_PX = 8;

/**
 * @typedef {{edit: (item: HTMLElement) => void, quote: (item: HTMLElement) => void, address: (id: string) => string,
 *   remove: (link: HTMLElement, item: HTMLElement) => Promise<void>}} Doing
 * `remove` asks at the first press; `address` is what a link to a comment leads to
 */

export class Menu {
  /** @type {HTMLElement | null} whose it is, while it is open */
  #button = null;

  /** @param {import("../live_thread.js").Live} live @param {Doing} doing @param {AbortSignal} signal ends it */
  constructor(live, doing, signal) {
    this.live = live;
    this.doing = doing;
    this.list = live.root.ownerDocument.createElement("div");
    this.list.className = "choices";
    this.list.role = "menu";
    this.list.hidden = true;
    this.list.addEventListener("keydown", (event) => this.#pressed(event));
    this.list.addEventListener("focusout", ({ relatedTarget }) => {
      if (!(relatedTarget instanceof Node) || !this.list.contains(relatedTarget)) this.close();
    });
    live.root.append(this.list);
    // It goes along with its comment, while that is in sight.
    addEventListener("scroll", () => this.#follow(), { signal, passive: true });
    signal.addEventListener("abort", () => this.list.remove());
  }

  /** @param {HTMLElement} button @param {HTMLElement} item */
  toggle(button, item) {
    if (this.#button === button) return this.close();
    this.list.replaceChildren(...this.#choices(item));
    this.#button = button;
    button.ariaExpanded = "true";
    this.list.ariaLabel = button.ariaLabel;
    this.list.hidden = false;
    this.#place(button);
    this.#go(0);
  }

  close() {
    if (!this.#button) return;
    const [button, hadFocus] = [this.#button, this.list.contains(focused(this.live.root))];
    this.#button = null;
    button.ariaExpanded = "false";
    this.list.hidden = true;
    if (hadFocus) button.focus({ preventScroll: true });
  }

  #follow() {
    const box = this.#button?.getBoundingClientRect();
    if (!this.#button || !box) return;
    if (box.bottom > 0 && box.top < innerHeight) this.#place(this.#button);
    else this.close();
  }

  /** Below the button where there is room, else above it. @param {HTMLElement} button */
  #place(button) {
    const { left, right, top, bottom } = button.getBoundingClientRect();
    const { offsetWidth, offsetHeight, style } = this.list;
    const isRtl = getComputedStyle(button).direction === "rtl";
    const most = document.documentElement.clientWidth - offsetWidth - MARGIN_PX;
    const x = Math.max(MARGIN_PX, Math.min(most, isRtl ? right - offsetWidth : left));
    style.setProperty("left", `${x}px`);
    style.setProperty("top", `${bottom + offsetHeight < innerHeight ? bottom : top - offsetHeight}px`);
  }

  /** @param {HTMLElement} item @returns {HTMLElement[]} */
  #choices(item) {
    const id = String(item.dataset.id);
    const part = (/** @type {string} */ name) => item.querySelector(`:scope > article ${name}`);
    const isVisible = item.dataset.state === "visible";
    const isOwn = Boolean(this.live.viewer) && part(".name")?.textContent === this.live.viewer;
    const made = [];
    if (isVisible) {
      made.push(this.#choice("copy", t("menu.copy"), this.doing.address(id), () => this.#copy(id)));
      if (part(".reply")) made.push(this.#choice("quote-all", t("action.quote"), "", () => this.doing.quote(item)));
      if (isOwn) {
        made.push(this.#choice("edit", t("action.edit"), at(`/c/${id}/edit`), () => this.doing.edit(item)));
        made.push(
          this.#choice("delete", t("action.delete"), at(`/c/${id}/delete`), (line) => this.doing.remove(line, item)),
        );
      }
    }
    if (this.live.root.hasAttribute("moderates"))
      made.push(this.#choice("moderate", t("action.moderate"), at(`/c/${id}/moderate`)));
    return made;
  }

  /**
   * @param {string} name @param {string} text @param {string} href "": a button
   * @param {(line: HTMLElement) => unknown} [act] what a press does in its place
   */
  #choice(name, text, href, act) {
    const made = this.live.root.ownerDocument.createElement(href ? "a" : "button");
    made.className = name;
    made.role = "menuitem";
    made.textContent = text;
    if (made instanceof HTMLAnchorElement) made.href = href;
    else made.type = "button";
    made.addEventListener("click", (/** @type {any} */ event) => {
      if (!act || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      event.stopPropagation();
      // Deleting asks once more, on the same line, and forgets that it did once the line is gone.
      const isAsking = name === "delete" && !made.matches(".danger");
      if (name === "delete") act(made);
      if (!isAsking) this.close();
      // The focus went back first: what follows may take it.
      if (name !== "delete") act(made);
    });
    return made;
  }

  /** @param {string} id */
  async #copy(id) {
    const address = this.doing.address(id);
    try {
      await navigator.clipboard.writeText(address);
      this.live.say(t("menu.copied"));
    } catch {
      // Not allowed here, or not on a page without https: it can be copied by hand.
      this.live.say(address);
    }
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const items = [...this.list.children];
    const at = items.indexOf(/** @type {Element} */ (focused(this.live.root)));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    event.stopPropagation();
    if (event.key === "Escape" || event.key === "Tab") this.close();
    else if (to === undefined) return;
    else this.#go(to);
    if (event.key !== "Tab") event.preventDefault();
  }

  /** @param {number} place */
  #go(place) {
    const { children } = this.list;
    const item = /** @type {HTMLElement | null} */ (children[(place + children.length) % children.length] ?? null);
    item?.focus({ preventScroll: true });
  }
}
