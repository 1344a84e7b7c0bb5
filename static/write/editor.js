/** The form that changes a comment where it stands. Never touches the network: `load` and `save` are handed in. */

import { t } from "../texts.js";
import * as drafts from "./drafts.js";
import { excess, MOST, showLimit } from "./text_length.js";

/**
 * @typedef {import("../live/thread_store.js").Comment} Comment
 * @typedef {import("../live/api.js").Refused} Refused
 */

export class Editor {
  #revision = 0;
  #before = "";
  #isSure = false;

  /**
   * @param {HTMLElement} item
   * @param {{load: (id: number) => Promise<{comment: Comment, body: string}>,
   *   save: (id: number, body: string, revision: number) => Promise<void>}} page
   */
  constructor(item, { load, save }) {
    this.id = Number(item.dataset.id);
    this.save = save;
    this.shown = /** @type {HTMLElement} */ (item.querySelector(":scope > article .body"));
    const open = item.querySelector(":scope > article .editor textarea");
    if (open instanceof HTMLElement) {
      open.focus();
      return;
    }
    this.form = document.createElement("form");
    this.form.className = "editor";
    this.says = make("p", "says");
    this.says.setAttribute("role", "alert");
    this.present = make("blockquote", "kept");
    this.present.dir = "auto";
    this.present.hidden = true;
    this.text = document.createElement("textarea");
    this.text.rows = 4;
    this.text.required = true;
    this.text.dir = "auto";
    this.text.setAttribute("aria-label", t("compose.title"));
    const actions = make("div", "actions");
    const button = document.createElement("button");
    button.textContent = t("action.save");
    this.cancel = document.createElement("button");
    this.cancel.type = "button";
    this.cancel.className = "quiet";
    this.cancel.textContent = t("action.cancel");
    this.cancel.addEventListener("click", () => this.#leave());
    actions.append(this.cancel, button);
    this.form.append(this.says, this.present, this.text, actions);
    this.form.addEventListener("submit", (event) => this.#submitted(event));
    this.form.addEventListener("keydown", (event) => {
      // A composition is ended by the same keys.
      if (event.isComposing) return;
      if (event.key === "Escape") this.#leave();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.form?.requestSubmit();
    });
    this.text.addEventListener("input", () => this.#typed());
    this.#open(load);
  }

  /** @param {(id: number) => Promise<{comment: Comment, body: string}>} load */
  async #open(load) {
    if (!this.form || !this.text || !this.says) return;
    this.shown.after(this.form);
    this.shown.hidden = true;
    try {
      const { comment, body } = await load(this.id);
      this.#revision = comment.revision ?? 1;
      this.#before = body;
      // What was begun here before is not lost.
      this.text.value = drafts.read(`edit:${this.id}`, null)?.body ?? body;
      this.text.focus();
      showLimit(this.text);
    } catch (error) {
      this.says.textContent = /** @type {Error} */ (error).message;
    }
  }

  /** @param {SubmitEvent} event */
  async #submitted(event) {
    event.preventDefault();
    if (!this.text || !this.says || !this.present) return;
    if (excess(this.text.value) > 0) {
      this.says.textContent = t("editor.too_long", { most: MOST });
      return;
    }
    try {
      await this.save(this.id, this.text.value, this.#revision);
      this.#close();
    } catch (error) {
      const { message, current } = /** @type {Refused} */ (error);
      this.says.textContent = t("editor.failed", { why: message });
      if (current) {
        // Both stay on the screen; saving once more replaces what stands there now.
        this.present.textContent = current.body;
        this.present.hidden = false;
        this.#revision = current.revision ?? this.#revision;
      }
    }
  }

  #typed() {
    if (!this.text) return;
    drafts.keep(`edit:${this.id}`, null, this.text.value);
    showLimit(this.text);
    this.#ask(false);
  }

  /** What was changed is not dropped without a question. */
  #leave() {
    if (this.text?.value === this.#before || this.#isSure) this.#close();
    else this.#ask(true);
  }

  /** @param {boolean} isSure whether the next press means it */
  #ask(isSure) {
    if (!this.cancel || !this.says || this.#isSure === isSure) return;
    this.#isSure = isSure;
    this.cancel.textContent = isSure ? t("editor.discard") : t("action.cancel");
    this.says.textContent = isSure ? t("editor.press_again") : "";
  }

  #close() {
    drafts.keep(`edit:${this.id}`, null, "");
    this.form?.remove();
    this.shown.hidden = false;
    const menu = this.shown.parentElement?.querySelector(".menu");
    if (menu instanceof HTMLElement) menu.focus({ preventScroll: true });
  }
}

/** @param {string} tag @param {string} name */
function make(tag, name) {
  const element = document.createElement(tag);
  element.className = name;
  return element;
}
