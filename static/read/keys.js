/**
 * Keyboard shortcuts: only while the focus is in the thread and not in a text field. They can be turned off, in this
 * browser or for the account.
 */

import { ask } from "../live/api.js";
import { browser } from "../live/browser_storage.js";
import { t } from "../texts.js";
import { scopeOf } from "../view/selection.js";

const SLOT = "keys";

export class Keys {
  #isOn;
  /** @type {HTMLElement | null} the comment that had the focus, or a press, last */
  #last = null;

  /**
   * @param {HTMLElement} root @param {import("../view/view.js").View} view
   * @param {{visit: import("./catch_up.js").LastVisit, more: (link: HTMLElement) => Promise<void>,
   *   answer: (item: HTMLElement) => void, isAccounts: boolean}} page
   * `more` loads what is behind a link, `answer` opens the answer's form; `isAccounts`: the switch is the account's
   * @param {AbortSignal} signal ends it
   */
  constructor(root, view, { visit, more, answer, isAccounts }, signal) {
    const isOff = root.hasAttribute("keyless");
    this.#isOn = !isOff && browser.read(SLOT) !== "off";
    this.isAccounts = isAccounts;
    this.root = root;
    this.view = view;
    this.visit = visit;
    this.more = more;
    this.answer = answer;
    // A click anywhere in the thread brings the focus into it.
    root.tabIndex = -1;
    root.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    for (const type of ["focusin", "pointerdown"]) {
      root.addEventListener(type, ({ target }) => this.#wasAt(/** @type {Element} */ (target)), { signal });
    }
    // Where the thread is a guest, what is typed in it is no shortcut of its host.
    const scope = scopeOf(root);
    const keep = (/** @type {Event} */ event) => event.stopPropagation();
    if (scope instanceof ShadowRoot)
      for (const type of ["keydown", "keypress", "keyup"]) scope.addEventListener(type, keep, { signal });
    this.#addBack(signal);
    // A screen that is touched has no keys to be told of. What the account has turned off is turned on by our pages alone.
    if ((isAccounts || !isOff) && matchMedia("(hover: hover) and (pointer: fine)").matches) this.#addSwitch(signal);
  }

  /** Beside "12 unread ↓". */
  #addBack(/** @type {AbortSignal} */ signal) {
    const back = make("button", "unread");
    back.textContent = "↑";
    back.ariaLabel = t("keys.previous_unread");
    const { list, unreadButton } = this.view;
    // From the comment where one was, though the button stands elsewhere; before the first comes the last.
    const go = (/** @type {Element | null} */ from) => this.#go("li.unread", -1, from);
    back.addEventListener("click", () => go(this.#last) || go(list.nextElementSibling));
    // After the last comes the first.
    const next = () => this.#nextUnread() || this.#go("li.unread", 1, list);
    unreadButton.addEventListener("click", next, { signal });
    unreadButton.after(back);
    signal.addEventListener("abort", () => back.remove());
  }

  /** At the end of the thread, where it moves nothing. */
  #addSwitch(/** @type {AbortSignal} */ signal) {
    const place = make("p", "meta keys");
    const text = make("span", "");
    const toggle = make("button", "quiet");
    const show = () => {
      text.textContent = this.#isOn ? t("keys.on") : t("keys.off");
      toggle.textContent = this.#isOn ? t("keys.turn_off") : t("keys.turn_on");
    };
    toggle.addEventListener("click", () => {
      this.#turn(!this.#isOn);
      show();
    });
    show();
    place.append(text, document.createElement("br"), toggle);
    this.root.append(place);
    signal.addEventListener("abort", () => place.remove());
  }

  /** @param {boolean} isOn */
  #turn(isOn) {
    this.#isOn = isOn;
    const keep = () => browser.keep(SLOT, isOn ? "on" : "off");
    if (!this.isAccounts) {
      keep();
      return;
    }
    browser.drop(SLOT);
    ask("PATCH", "/api/me/appearance", { shortcuts: isOn }).catch(keep);
  }

  /** @param {KeyboardEvent} event */
  #pressed({ key: written, code, target, ctrlKey, metaKey, altKey, isComposing }) {
    if (!this.#isOn || ctrlKey || metaKey || altKey || isComposing) return;
    if (target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select")))
      return;
    const item = this.#here();
    // Where the layout has no Latin letters, the keys are known by their places.
    const key = /^[a-z]$/.test(written) ? written : /^\p{L}$/u.test(written) ? code.slice(3).toLowerCase() : "";
    if (key === "j") this.#go("li[data-id]", 1);
    else if (key === "k") this.#go("li[data-id]", -1);
    else if (key === "n") this.#nextUnread();
    else if (key === "p") this.#go("li.unread", -1);
    else if (key === "r" && item?.querySelector(":scope > article .reply")) this.#reply(item);
  }

  /** Once the key itself is through, or it would be written. @param {HTMLElement} item */
  #reply(item) {
    requestAnimationFrame(() => this.answer(item));
  }

  /** @returns {boolean} whether there is one, as far as is known */
  #nextUnread() {
    const here = this.#here();
    const next = this.#unreadAhead(here);
    const more = /** @type {HTMLElement} */ (this.root.querySelector(".more"));
    if (next?.matches("a")) this.#open(next, here);
    else if (next) this.view.goTo(next);
    // What waits behind the pill is unread as well, and so may be what waits behind "More comments".
    else if (!this.view.pill.hidden) this.view.reveal();
    else if (!more.hidden && this.visit.doors.has(0)) this.#open(more, here);
    else return false;
    return true;
  }

  /** The next unread comment, or the link "More replies" behind which it may be. @param {Element | null} here */
  #unreadAhead(here) {
    const { doors } = this.visit;
    const isMeant = (/** @type {HTMLElement} */ one) => one.matches("li") || doors.has(Number(one.dataset.root));
    return this.#ahead("li.unread, .more-replies", 1, here, isMeant);
  }

  /** Loads one page per press: the next new comment may be several pages away. @param {HTMLElement} link @param {Element | null} here */
  async #open(link, here) {
    await this.more(link);
    const go = () => {
      const next = this.#unreadAhead(here);
      if (next?.matches("li")) this.view.goTo(next);
    };
    this.view.addEventListener("settled", go, { once: true });
    this.view.refresh();
  }

  /** @param {Element} target */
  #wasAt(target) {
    this.#last = target.closest("li[data-id]") ?? this.#last;
  }

  /** @returns {HTMLElement | null} the comment that has the focus or, while it is in sight, had it last */
  #here() {
    const { top, bottom } = this.#last?.firstElementChild?.getBoundingClientRect() ?? { top: 0, bottom: 0 };
    return this.#last?.isConnected && top < innerHeight && bottom > 0 ? this.#last : null;
  }

  /** @param {string} which @param {1 | -1} step @param {Element | null} [here] @returns {boolean} whether there was one */
  #go(which, step, here = this.#here()) {
    const next = this.#ahead(which, step, here);
    this.view.goTo(next);
    return Boolean(next);
  }

  /**
   * @param {string} which @param {1 | -1} step @param {Element | null} here
   * @param {(item: HTMLElement) => boolean} [isMeant]
   */
  #ahead(which, step, here, isMeant = () => true) {
    const items = /** @type {HTMLElement[]} */ ([...this.view.list.querySelectorAll(which)]).filter(
      (item) => item !== here && isMeant(item) && (item.checkVisibility() || isFoldedAway(item)),
    );
    const side = step > 0 ? Node.DOCUMENT_POSITION_FOLLOWING : Node.DOCUMENT_POSITION_PRECEDING;
    // Without a comment in focus, the line at the top of the window is where one reads.
    const isAhead = (/** @type {HTMLElement} */ item) =>
      here ? here.compareDocumentPosition(item) & side : item.getBoundingClientRect().top * step > 0;
    return step > 0 ? items.find(isAhead) : items.findLast(isAhead);
  }
}

/** What is unread is found in folded branches too, which then open. @param {HTMLElement} item */
function isFoldedAway(item) {
  return item.matches(".unread") && Boolean(item.parentElement?.closest("li.folded"));
}

/** @template {"button" | "p" | "span"} Tag @param {Tag} tag @param {string} name @returns {HTMLElementTagNameMap[Tag]} */
function make(tag, name) {
  const element = document.createElement(tag);
  element.className = name;
  if (element instanceof HTMLButtonElement) element.type = "button";
  return element;
}
