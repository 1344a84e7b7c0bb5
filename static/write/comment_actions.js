/** What a reader does to one comment that stands there: vote, edit, delete, quote. */

import { ask } from "../live/api.js";
import { t } from "../texts.js";
import { showScore, showVote } from "../view/comment_item.js";
import { selectedRange } from "../view/selection.js";
import { Editor } from "./editor.js";
import { Quoting } from "./quoting.js";

const BEGUN = /(?:^|[\s(])@([\p{L}\p{N}_-]{1,40})$/u;

export class Actions {
  /**
   * @param {import("../live_thread.js").Live} live @param {(item: HTMLElement) => void} answer opens the answer's form
   * @param {AbortSignal} signal ends it
   */
  constructor(live, answer, signal) {
    const { root, thread } = live;
    this.root = root;
    this.thread = thread;
    this.store = live.store;
    this.view = live.view;
    this.say = live.say.bind(live);
    this.speak = live.speak.bind(live);
    this.quoting = new Quoting(root, thread, answer, signal);
    document.addEventListener("selectionchange", () => this.quote(), { signal });
    if (live.viewer) root.addEventListener("input", ({ target }) => this.#typed(target), { signal });
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
      this.say(t("vote.failed", { why: /** @type {Error} */ (error).message }));
    }
  }

  /** The vote, and what it makes of the score, at once. @param {HTMLElement} form @param {number} id @param {number} value */
  #showVote(form, id, value) {
    const { value: score } = /** @type {HTMLDataElement} */ (form.querySelector(".score"));
    showScore(form, Number(score) + value - (this.view.votes.get(id) ?? 0));
    this.view.votes.set(id, value);
    showVote(form, value);
  }

  /** @param {HTMLElement} item */
  edit(item) {
    new Editor(item, {
      load: (id) => ask("GET", `/api/comments/${id}`),
      save: async (id, body, revision) => {
        this.view.edited.add(id);
        const saved = ask("PATCH", `/api/comments/${id}`, { body, revision });
        saved.catch(() => this.view.edited.delete(id));
        const { comment } = await saved;
        this.view.show(this.store.answer(comment));
        this.speak(t("editor.saved"));
      },
    });
  }

  /** @param {EventTarget | null} target */
  #typed(target) {
    if (target instanceof HTMLTextAreaElement && target.value.includes("@")) this.complete(target);
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

  /** The first click asks, the second does it; who goes elsewhere has not meant it. @param {HTMLElement} link @param {HTMLElement} item */
  async remove(link, item) {
    if (!link.classList.contains("danger")) {
      link.classList.add("danger");
      link.textContent = t("delete.really");
      this.speak(t("delete.press_again"));
      const calm = () => {
        link.classList.remove("danger");
        link.textContent = t("action.delete");
      };
      link.addEventListener("blur", calm, { once: true });
      return;
    }
    try {
      const { comment } = await ask("DELETE", `/api/comments/${idOf(item)}`);
      this.view.addEventListener("settled", () => this.#focusAfter(item), { once: true });
      this.view.take(this.store.answer(comment));
      this.speak(t("delete.done"));
    } catch (error) {
      this.say(t("delete.failed", { why: /** @type {Error} */ (error).message }));
    }
  }

  /** What had the focus is gone: it goes to what stands there, or to the comment after it. @param {HTMLElement} item */
  #focusAfter(item) {
    const { list } = this.view;
    const items = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("li[data-id]")]);
    const next = items.find(
      (one) => one === item || item.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING,
    );
    const article = (next ?? items.at(-1))?.querySelector("article") ?? list;
    article.tabIndex = -1;
    article.focus({ preventScroll: true });
  }

  /** What is selected in a comment can be quoted. */
  quote() {
    const node = selectedRange(this.root)?.startContainer;
    const item = node?.parentElement?.closest(".body")?.closest("li[data-id]");
    if (item instanceof HTMLElement && this.root.contains(item)) this.quoting.offer(item);
    else this.quoting.hide();
  }
}

/** @param {HTMLElement} inside */
function idOf(inside) {
  return Number(/** @type {HTMLElement | null} */ (inside.closest("li[data-id]"))?.dataset.id);
}
