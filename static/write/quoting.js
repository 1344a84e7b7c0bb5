/** Quoting: a selection within one comment goes into a reply to it, with a link to its source. */

import { t } from "../texts.js";
import { selectedRange } from "../view/selection.js";

export class Quoting {
  /** @type {HTMLElement | null} */
  #source = null;
  #text = "";

  /** @param {HTMLElement} root @param {string} thread @param {(item: HTMLElement) => void} answer opens the answer's form @param {AbortSignal} signal ends it */
  constructor(root, thread, answer, signal) {
    this.root = root;
    this.thread = thread;
    this.answer = answer;
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "quote";
    this.button.textContent = t("action.quote");
    this.button.hidden = true;
    // A press that takes the focus would take the selection with it.
    this.button.addEventListener("pointerdown", (event) => event.preventDefault());
    this.button.addEventListener("click", () => this.#quote());
    root.append(this.button);
    signal.addEventListener("abort", () => this.button.remove());
  }

  /** @param {HTMLElement} item the comment in which something is selected */
  offer(item) {
    const range = selectedRange(this.root);
    const body = item.querySelector(":scope > article .body");
    if (!range || !body) return this.hide();
    // A quote stays within one comment.
    if (!body.contains(range.endContainer)) range.setEndAfter(/** @type {Node} */ (body.lastChild ?? body));
    const text = range.toString().trim();
    if (!text || !body.contains(range.startContainer) || !item.querySelector(":scope > article .reply")) {
      return this.hide();
    }
    this.#source = item;
    this.#text = text;
    const { left, bottom } = range.getBoundingClientRect();
    this.button.hidden = false;
    // As the range is measured, whichever way is read.
    const most = document.documentElement.clientWidth - this.button.offsetWidth - 8;
    this.button.style.setProperty("left", `${Math.max(8, Math.min(most, left))}px`);
    this.button.style.setProperty("top", `${Math.min(innerHeight - 48, bottom + 8)}px`);
  }

  /** Quote all that a comment says itself. @param {HTMLElement} item */
  all(item) {
    const said = [...item.querySelectorAll(":scope > article .body > :not(blockquote)")];
    this.#source = item;
    this.#text = said.map((one) => one.textContent?.trim()).join("\n\n");
    this.#quote();
  }

  hide() {
    this.button.hidden = true;
  }

  #quote() {
    const item = this.#source;
    if (!item) return;
    this.answer(item);
    const text = /** @type {HTMLTextAreaElement | null} */ (item.querySelector(":scope > ol > .answering textarea"));
    const name = item.querySelector(".name")?.textContent ?? "";
    if (text) {
      const lines = this.#text.split("\n").map((line) => `> ${line}`.trimEnd());
      const source = `> — [${name.replace(/[[\]\\]/g, "")}](/t/${this.thread}/c/${item.dataset.id})`;
      text.value += `${text.value && !text.value.endsWith("\n") ? "\n\n" : ""}${[...lines, ">", source].join("\n")}\n\n`;
      text.dispatchEvent(new Event("input", { bubbles: true }));
      text.setSelectionRange(text.value.length, text.value.length);
    }
    getSelection()?.removeAllRanges();
    this.hide();
  }
}
