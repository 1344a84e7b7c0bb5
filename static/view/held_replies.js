/** Shows beside each comment how many new replies wait; a click shows them. The pill counts them too. */

import { t } from "../texts.js";
import { putHtml } from "./safe_html.js";

/**
 * Shows a held comment to its author, as the server does after a reload.
 * @param {HTMLElement} root @param {import("../live/thread_store.js").Comment} comment
 */
export function showOwn(root, { id, html = "" }) {
  const section = /** @type {HTMLElement | null} */ (root.querySelector(".unseen"));
  if (!section || root.querySelector(`#unseen-${id}`)) return;
  const [place, meta, body] = ["div", "p", "div"].map((tag) => root.ownerDocument.createElement(tag));
  place.className = "notice";
  place.id = `unseen-${id}`;
  meta.className = "meta";
  const strong = root.ownerDocument.createElement("strong");
  strong.textContent = t("unseen.pending");
  meta.append(strong);
  body.className = "body";
  body.dir = "auto";
  putHtml(body, html);
  place.append(meta, body);
  section.prepend(place);
  section.hidden = false;
}

/** @param {import("./view.js").View} view @param {import("../live/thread_store.js").Store} store @param {AbortSignal} signal ends it */
export function tellHeld(view, store, signal) {
  /** @type {Map<HTMLElement, HTMLButtonElement>} */
  const shown = new Map();
  signal.addEventListener("abort", () => {
    for (const button of shown.values()) button.remove();
  });
  view.addEventListener("settled", () => {
    const waiting = store.sort === "flat" ? new Map() : byAncestor(view, store);
    for (const [item, button] of shown) {
      if (waiting.has(item)) continue;
      button.remove();
      shown.delete(item);
    }
    for (const [item, ids] of waiting) {
      const button = shown.get(item) ?? document.createElement("button");
      shown.set(item, button);
      button.type = "button";
      button.className = "quiet replies";
      button.textContent = t("unread.new_replies", { count: ids.length });
      button.onclick = () => {
        view.addEventListener("settled", () => view.goTo(view.item(ids[0])), { once: true });
        view.show(ids);
      };
      const footer = item.querySelector(":scope > article > footer");
      if (button.parentElement !== footer) footer?.append(button);
    }
  });
}

/**
 * What waits, by the nearest comment above it that is drawn.
 * @param {import("./view.js").View} view @param {import("../live/thread_store.js").Store} store
 */
function byAncestor(view, store) {
  /** @type {Map<HTMLElement, number[]>} */
  const waiting = new Map();
  for (const id of [...view.held].sort((one, other) => one - other)) {
    const comment = store.get(id);
    let above = comment?.state === "visible" ? comment.parent : null;
    while (above && !view.item(above)) above = store.get(above)?.parent;
    const item = above ? view.item(above) : undefined;
    if (item) waiting.set(item, [...(waiting.get(item) ?? []), id]);
  }
  return waiting;
}
