/** A post that the server has not answered yet, where it will stand. */

import { t } from "../texts.js";

/** @typedef {{nonce: string, parent: number | null, body: string}} Post */

/** @param {import("./view.js").View} view @param {Post} post */
export function showPending(view, post) {
  const item = /** @type {HTMLElement} */ (view.document.importNode(view.blank, true));
  fill(item, post, view.viewer);
  const isRoot = post.parent === null || view.store.sort === "flat";
  const list = isRoot ? view.list : view.item(Number(post.parent))?.querySelector(":scope > ol");
  list?.append(item);
  view.showNone();
}

/**
 * Make the item show a post that the server has not answered yet.
 * @param {HTMLElement} item @param {Post} post @param {string} viewer
 */
function fill(item, { nonce, body }, viewer) {
  for (const attribute of ["id", "data-id", "data-parent", "data-version", "data-state", "data-replies"]) {
    item.removeAttribute(attribute);
  }
  item.className = "pending-post";
  item.dataset.nonce = nonce;
  const part = (/** @type {string} */ name) => /** @type {any} */ (item.querySelector(name));
  part(".name").textContent = viewer;
  part(".note").textContent = t("comment.sending");
  part(".body").textContent = body;
  for (const needless of item.querySelectorAll("footer > *, .to, .time")) needless.remove();
}
