/** The form that changes a comment where it stands. Never touches the network: `load` and `save` are handed in. */

import { t } from "../texts.js";
import * as drafts from "./drafts.js";
import { describe, say } from "./saying.js";
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
    const says = make("p", "says");
    says.role = "alert";
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
    this.form.append(this.present, this.text, says, actions);
    this.text.id = `edit-${this.id}`;
    describe(this.text);
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
    if (!this.form || !this.text) return;
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
      say(this.form, /** @type {Error} */ (error).message);
    }
  }

  /** @param {SubmitEvent} event */
  async #submitted(event) {
    event.preventDefault();
    if (!this.form || !this.text || !this.present) return;
    if (excess(this.text.value) > 0) {
      say(this.form, t("editor.too_long", { most: MOST }), true);
      this.text.focus();
      return;
    }
    try {
      await this.save(this.id, this.text.value, this.#revision);
      this.#close();
    } catch (error) {
      const { message, current, status } = /** @type {Refused} */ (error);
      say(this.form, t("editor.failed", { why: message }), status === 422);
      this.text.focus();
      if (current) {
        // Both stay on the screen; saving once more replaces what stands there now.
        this.present.textContent = current.body;
        this.present.hidden = false;
        this.#revision = current.revision ?? this.#revision;
      }
    }
  }

  #typed() {
    if (!this.text || !this.form) return;
    if (this.text.ariaInvalid) say(this.form, "");
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
    if (!this.cancel || !this.form || this.#isSure === isSure) return;
    this.#isSure = isSure;
    this.cancel.textContent = isSure ? t("editor.discard") : t("action.cancel");
    say(this.form, isSure ? t("editor.press_again") : "");
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
