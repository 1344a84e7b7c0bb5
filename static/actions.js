/** What a reader does to one comment that stands there: vote, edit, delete, quote. Loaded when it is first done. */

import { ask } from "./api.js";
import { Editor } from "./editor.js";
import { putHtml, showVote } from "./item.js";
import { Quoting } from "./quoting.js";

const SURE_MS = 4_000;
const BEGUN = /(?:^|[\s(])@([\p{L}\p{N}_-]{1,40})$/u;

export class Actions {
  /**
   * @param {{root: HTMLElement, thread: string, store: import("./store.js").Store, view: import("./view.js").View,
   *   answer: (item: HTMLElement) => void, say: (text: string) => void, speak: (text: string) => void}} page
   */
  constructor({ root, thread, store, view, answer, say, speak }) {
    this.root = root;
    this.thread = thread;
    this.store = store;
    this.view = view;
    this.say = say;
    this.speak = speak;
    this.quoting = new Quoting(root, thread, answer);
  }

  /** @param {HTMLElement} form @param {number} value */
  async vote(form, value) {
    const id = idOf(form);
    const before = this.view.votes.get(id) ?? 0;
    this.#showVote(form, id, value);
    try {
      this.view.take(this.store.answer((await ask("PUT", `/api/comments/${id}/vote`, { value })).comment));
    } catch (error) {
      this.#showVote(form, id, before);
      this.say(`Your vote did not count. ${/** @type {Error} */ (error).message}`);
    }
  }

  /** The vote, and what it makes of the score, at once. @param {HTMLElement} form @param {number} id @param {number} value */
  #showVote(form, id, value) {
    const score = /** @type {HTMLElement} */ (form.querySelector(".score"));
    score.textContent = String(Number(score.textContent) + value - (this.view.votes.get(id) ?? 0));
    this.view.votes.set(id, value);
    showVote(form, value);
  }

  /** @param {HTMLElement} item */
  edit(item) {
    new Editor(item, {
      load: (id) => ask("GET", `/api/comments/${id}`),
      save: async (id, body, revision) => {
        this.view.edited.add(id);
        const { comment } = await ask("PATCH", `/api/comments/${id}`, { body, revision });
        this.view.show(this.store.answer(comment));
        this.speak("Your comment was changed.");
      },
    });
  }

  /** Show the text exactly as it will be shown, until it is changed. @param {HTMLFormElement} form */
  async preview(form) {
    const text = /** @type {HTMLTextAreaElement} */ (form.elements.namedItem("body"));
    if (!text.value.trim()) return;
    form.querySelector(".shown")?.remove();
    const place = form.ownerDocument.createElement("div");
    place.className = "body shown";
    place.dir = "auto";
    try {
      putHtml(place, (await ask("POST", "/api/preview", { body: text.value })).html);
    } catch (error) {
      place.textContent = /** @type {Error} */ (error).message;
    }
    form.append(place);
    const forget = () => place.remove();
    text.addEventListener("input", forget, { once: true });
    form.addEventListener("submit", (event) => event.submitter?.matches(".preview") || forget());
  }

  /** Offer names to mention, as one is begun. @param {HTMLTextAreaElement} text */
  async complete(text) {
    const begun = BEGUN.exec(text.value.slice(0, text.selectionStart))?.[1];
    text.parentElement?.querySelector(".names")?.remove();
    if (!begun) return;
    const path = `/api/threads/${this.thread}/names?q=${encodeURIComponent(begun)}`;
    const { names } = await ask("GET", path).catch(() => ({ names: [] }));
    if (begun !== BEGUN.exec(text.value.slice(0, text.selectionStart))?.[1] || !names.length) return;
    const place = text.ownerDocument.createElement("p");
    place.className = "names";
    for (const name of names) {
      const button = text.ownerDocument.createElement("button");
      button.type = "button";
      button.className = "quiet";
      button.textContent = `@${name}`;
      button.addEventListener("click", () => {
        const mention = /^[\w-]+$/.test(name) ? `@${name} ` : `@"${name}" `;
        text.setRangeText(mention, text.selectionStart - begun.length - 1, text.selectionStart, "end");
        place.remove();
        text.focus();
        text.dispatchEvent(new Event("input", { bubbles: true }));
      });
      place.append(button);
    }
    text.parentElement?.querySelector(".names")?.remove();
    text.after(place);
  }

  /** The first click asks, the second does it. @param {HTMLElement} link @param {HTMLElement} item */
  async remove(link, item) {
    if (!link.classList.contains("danger")) {
      link.classList.add("danger");
      link.textContent = "Really delete?";
      setTimeout(() => {
        link.classList.remove("danger");
        link.textContent = "Delete";
      }, SURE_MS);
      return;
    }
    try {
      this.view.take(this.store.answer((await ask("DELETE", `/api/comments/${idOf(item)}`)).comment));
      this.speak("Your comment was deleted.");
    } catch (error) {
      this.say(`Not deleted. ${/** @type {Error} */ (error).message}`);
    }
  }

  /** What is selected in a comment can be quoted. */
  quote() {
    const selection = getSelection();
    const node = selection && !selection.isCollapsed ? selection.anchorNode : null;
    const item = node?.parentElement?.closest(".body")?.closest("li[data-id]");
    if (item instanceof HTMLElement && this.root.contains(item)) this.quoting.offer(item);
    else this.quoting.hide();
  }
}

/** @param {HTMLElement} inside */
function idOf(inside) {
  return Number(/** @type {HTMLElement | null} */ (inside.closest("li[data-id]"))?.dataset.id);
}
