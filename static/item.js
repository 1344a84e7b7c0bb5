/** One comment as it is drawn: the `li` that the server's template gives, filled. Knows no other comment. */

import * as words from "./words.js";

/** @typedef {import("./store.js").Comment} Comment */

const DEEPEST = 7;
const MAX_DEPTH = 32;
const KEPT_CLASSES = ["unread", "context"];
const TOMBSTONES = /** @type {Record<string, string>} */ ({
  removed: "Removed by a moderator.",
  deleted: "Deleted by its author.",
});

const policy = /** @type {{createHTML: (html: string) => any}} */ (
  /** @type {any} */ (globalThis).trustedTypes?.createPolicy("livethread", {
    createHTML: (/** @type {string} */ html) => html,
  }) ?? { createHTML: (/** @type {string} */ html) => html }
);

/**
 * Make the item show the comment, exactly as the server would render it.
 * @param {HTMLElement} item @param {Comment} comment
 * @param {{thread: string, depth: number, parentName: string | null, viewer: string}} place
 */
export function fill(item, comment, { thread, depth, parentName, viewer }) {
  const { id, state = "visible", author } = comment;
  const isVisible = state === "visible";
  const part = (/** @type {string} */ name) => /** @type {any} */ (item.querySelector(`:scope > article ${name}`));
  const kept = KEPT_CLASSES.filter((name) => item.classList.contains(name));
  item.id = `c-${id}`;
  item.className = ["comment", `depth-${Math.min(depth, DEEPEST)}`, ...kept].join(" ");
  Object.assign(item.dataset, {
    id,
    parent: comment.parent ?? "",
    version: comment.version,
    state,
    replies: comment.replies ?? 0,
  });
  part("h3").id = `h-${id}`;
  item.firstElementChild?.setAttribute("aria-labelledby", `h-${id}`);
  part(".name").textContent = isVisible ? (author?.name ?? "Anonymous") : "Comment";
  if (parentName === null) part(".to")?.remove();
  else part(".to").lastElementChild.textContent = parentName;
  const picture = author?.avatar ?? "/avatar/anonymous.svg";
  if (part("img").getAttribute("src") !== picture) part("img").setAttribute("src", picture);
  const badge = author?.badge ?? "";
  part(".badge").textContent = badge.charAt(0).toUpperCase() + badge.slice(1);
  if (comment.created) showTime(part("time"), comment.created);
  part(".time").href = `/t/${thread}/c/${id}`;
  part(".note").textContent = !isVisible ? "" : !author ? "account removed" : comment.edited ? "edited" : "";
  // The server's own rendering, the only HTML that is ever put in as such.
  if (!isVisible) part(".body").textContent = TOMBSTONES[state] ?? "";
  else if (comment.html !== undefined) part(".body").innerHTML = policy.createHTML(comment.html);
  const reply = part(".reply");
  if (reply) reply.href = `/t/${thread}/c/${id}?reply=${id}#c-${id}`;
  if (!isVisible || depth >= MAX_DEPTH - 1) reply?.remove();
  const remove = part(".delete");
  if (remove) remove.href = `/c/${id}/delete`;
  if (!isVisible || !viewer || author?.name !== viewer) remove?.remove();
}

/**
 * Make the item show a post that the server has not answered yet.
 * @param {HTMLElement} item @param {{nonce: string, body: string}} post @param {string} viewer
 */
export function fillPending(item, { nonce, body }, viewer) {
  for (const attribute of ["id", "data-id", "data-parent", "data-version", "data-state", "data-replies"]) {
    item.removeAttribute(attribute);
  }
  item.className = "pending-post";
  item.dataset.nonce = nonce;
  const part = (/** @type {string} */ name) => /** @type {any} */ (item.querySelector(name));
  part(".name").textContent = viewer;
  part(".note").textContent = "sending…";
  part(".body").textContent = body;
  for (const needless of item.querySelectorAll("footer a, .to, time")) needless.remove();
}

/** Make it a place that only keeps its height, and is no comment any more. @param {HTMLElement} item */
export function vacate(item) {
  for (const attribute of ["id", "data-id", "data-parent", "data-version", "data-state"]) {
    item.removeAttribute(attribute);
  }
  item.className = "gone";
}

/** @param {HTMLTimeElement} time @param {string} moment */
export function showTime(time, moment) {
  time.dateTime = moment;
  time.title = new Date(moment).toLocaleString();
  const text = words.ago(moment, Date.now());
  if (time.textContent !== text) time.textContent = text;
}
