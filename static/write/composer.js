/**
 * The forms to write in: drafts, replies under their comment, posting. Never touches the network: `post` is handed in.
 *
 * What was typed leaves the form only when the server has answered.
 */

import { t } from "../texts.js";
import * as drafts from "./drafts.js";
import { describe, say } from "./saying.js";
import { excess, MOST, showLimit } from "./text_length.js";

const KEEP_AFTER_MS = 500;
const TYPING_EVERY_MS = 3_000;

/** @typedef {{body: string, parent: number | null, nonce: string}} Post */

export class Composer {
  /** @type {Map<HTMLFormElement, ReturnType<typeof setTimeout>>} */
  #keeping = new Map();
  #typedAt = 0;

  /**
   * @param {HTMLElement} root
   * @param {{thread: string, viewer: string, post: (post: Post) => Promise<void>, logIn: (back: string, form: HTMLFormElement | null) => void,
   *   typing: (parent: number | null) => void, signal: AbortSignal}} page
   * `post` resolves once the server has the comment, and rejects with Refused; `logIn` is given the form if the text could
   * not be kept: then it has to go along
   */
  constructor(root, { thread, viewer, post, logIn, typing, signal }) {
    this.root = root;
    this.thread = thread;
    this.viewer = viewer;
    this.post = post;
    this.logIn = logIn;
    this.typing = typing;
    const template = /** @type {HTMLTemplateElement} */ (root.querySelector(".composer-template"));
    this.blank = /** @type {HTMLElement} */ (template.content.firstElementChild);
    root.addEventListener("input", (event) => this.#typed(event), { signal });
    root.addEventListener("submit", (event) => this.#submitted(event), { signal });
    root.addEventListener("focusin", ({ target }) => this.#entered(target), { signal });
    root.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    this.restoreAll();
    const answering = /** @type {HTMLTextAreaElement | null} */ (root.querySelector(".answering textarea"));
    answering?.focus({ preventScroll: true });
    answering?.setSelectionRange(answering.value.length, answering.value.length);
  }

  /** Keep everything now: the page may be gone a moment later. */
  keepAll() {
    for (const form of this.#forms()) this.#keep(form);
  }

  /** Put back what was begun, into every form that is empty. */
  restoreAll() {
    for (const form of this.#forms()) this.#restore(form);
  }

  /** Open the forms of answers that were begun. @param {(id: number) => HTMLElement | undefined} itemOf */
  reopen(itemOf) {
    for (const id of drafts.begun(this.thread)) {
      const item = itemOf(id);
      if (item?.querySelector(":scope > article .reply")) this.#open(item);
    }
  }

  /** Who had to log in goes on with what was written. */
  goOn() {
    const text = this.#forms()
      .map(body)
      .findLast((one) => one.value);
    text?.focus({ preventScroll: true });
    text?.setSelectionRange(text.value.length, text.value.length);
  }

  /** Open the form under a comment, or go to it where it is open. @param {HTMLElement} item its `li` */
  answer(item) {
    this.#open(item).querySelector("textarea")?.focus();
  }

  /** @param {HTMLElement} item @returns {HTMLFormElement} */
  #open(item) {
    const list = /** @type {HTMLElement} */ (item.querySelector(":scope > ol"));
    let form = /** @type {HTMLFormElement | null} */ (list.querySelector(":scope > .answering form"));
    if (!form) {
      const place = /** @type {HTMLElement} */ (this.root.ownerDocument.importNode(this.blank, true));
      form = /** @type {HTMLFormElement} */ (place.querySelector("form"));
      const name = item.querySelector(".name")?.textContent ?? "";
      const id = item.dataset.id ?? "";
      form.dataset.parent = id;
      form.classList.add("open");
      const text = form.querySelector("textarea");
      const label = form.querySelector("label");
      if (text && label) {
        text.id = `body-${id}`;
        text.placeholder = t("composer.reply_to_place", { name });
        label.htmlFor = text.id;
        describe(text);
        label.textContent = t("composer.reply_to", { name });
      }
      this.#addCancel(form);
      list.prepend(place);
      this.#restore(form);
    }
    return form;
  }

  /** Once open it stays so: what is pressed must not move away when the text loses the focus. @param {EventTarget | null} target */
  #entered(target) {
    if (target instanceof HTMLTextAreaElement) target.form?.classList.add("open");
  }

  /** @returns {HTMLFormElement[]} */
  #forms() {
    return [...this.root.querySelectorAll(/** @type {"form"} */ ("form.composer"))];
  }

  /** Nobody posts from here before they log in again. */
  signOut() {
    this.viewer = "";
    for (const form of [this.blank, ...this.#forms()]) label(form, t("action.log_in_to_post"));
  }

  /** @param {HTMLFormElement} form */
  #addCancel(form) {
    const cancel = this.root.ownerDocument.createElement("button");
    cancel.type = "button";
    cancel.className = "quiet";
    cancel.textContent = t("composer.close");
    cancel.addEventListener("click", () => {
      this.#keep(form);
      const reply = itemOf(form)?.querySelector(".reply");
      form.closest(".answering")?.remove();
      if (reply instanceof HTMLElement) reply.focus({ preventScroll: true });
    });
    form.querySelector(".post")?.before(cancel);
  }

  /** @param {HTMLFormElement} form */
  #restore(form) {
    const draft = drafts.read(this.thread, parentOf(form));
    if (draft && !body(form).value) body(form).value = draft.body;
    showLimit(body(form));
  }

  /** @param {HTMLFormElement} form */
  #keep(form) {
    clearTimeout(this.#keeping.get(form));
    this.#keeping.delete(form);
    return drafts.keep(this.thread, parentOf(form), body(form).value);
  }

  /** @param {Event} event */
  #typed({ target }) {
    const form = target instanceof HTMLTextAreaElement ? target.form : null;
    if (!form?.matches(".composer")) return;
    if (body(form).ariaInvalid) say(form, "");
    showLimit(body(form));
    grow(body(form));
    clearTimeout(this.#keeping.get(form));
    this.#keeping.set(
      form,
      setTimeout(() => this.#keep(form), KEEP_AFTER_MS),
    );
    if (this.viewer && Date.now() - this.#typedAt > TYPING_EVERY_MS) {
      this.#typedAt = Date.now();
      this.typing(parentOf(form));
    }
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.isComposing || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const form = event.target instanceof HTMLTextAreaElement ? event.target.form : null;
    if (form?.matches(".composer")) form.requestSubmit();
  }

  /** @param {SubmitEvent} event */
  async #submitted(event) {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (!form.matches("form.composer")) return;
    event.preventDefault();
    if (event.submitter?.matches(".preview")) return;
    const draft = this.#keep(form);
    const wrong = !draft.body.trim()
      ? t("error.empty_comment")
      : excess(draft.body) > 0
        ? t("composer.too_long", { most: MOST })
        : "";
    say(form, wrong, Boolean(wrong));
    if (wrong) return body(form).focus();
    const parent = parentOf(form);
    if (!this.viewer) {
      const back = parent ? `/t/${this.thread}/c/${parent}?reply=${parent}#c-${parent}` : `/t/${this.thread}`;
      this.logIn(back, drafts.areSafe() ? null : form);
      return;
    }
    const place = form.closest(".answering");
    if (place instanceof HTMLElement) place.hidden = true;
    body(form).value = "";
    try {
      await this.post({ body: draft.body, parent, nonce: draft.nonce });
      drafts.clear(this.thread, parent, draft.nonce);
      label(form, t("action.post"));
      if (!body(form).value) place?.remove();
      showLimit(body(form));
    } catch (error) {
      this.#giveBack(form, draft.body, /** @type {import("../live/api.js").Refused} */ (error));
    }
    if (place instanceof HTMLElement) place.hidden = false;
  }

  /** @param {HTMLFormElement} form @param {string} text @param {import("../live/api.js").Refused} refusal */
  #giveBack(form, text, refusal) {
    // Something else may have been begun in the meantime: neither is lost.
    body(form).value = [text, body(form).value].filter(Boolean).join("\n\n");
    this.#keep(form);
    const why = refusal.status ? refusal.message : t("composer.try_online");
    say(form, t("composer.failed", { why }), refusal.status === 422);
    if (refusal.status === 401) this.signOut();
    else label(form, t("composer.retry"));
    body(form).addEventListener("input", () => this.viewer && label(form, t("action.post")), { once: true });
    body(form).focus();
  }
}

/** @param {HTMLFormElement} form @returns {HTMLTextAreaElement} */
function body(form) {
  return /** @type {HTMLTextAreaElement} */ (form.elements.namedItem("body"));
}

/** @param {HTMLFormElement} form */
function parentOf(form) {
  return form.dataset.parent ? Number(form.dataset.parent) : null;
}

/** Where the style cannot do it; the caret stays in sight. @param {HTMLTextAreaElement} text */
function grow(text) {
  if (CSS.supports("field-sizing: content")) return;
  text.style.blockSize = "auto";
  text.style.blockSize = `${text.scrollHeight + 2}px`;
}

/** The comment that is answered. @param {HTMLFormElement} form */
function itemOf(form) {
  return form.closest(".answering")?.closest("li[data-id]");
}

/** @param {HTMLElement} form @param {string} text */
function label(form, text) {
  const button = form.querySelector(".post");
  if (button) button.textContent = text;
}
