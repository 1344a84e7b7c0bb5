/** One comment as it is drawn: the `li` that the server's template gives, filled. Knows no other comment. */

import { at } from "../live/addresses.js";
import { t } from "../texts.js";
import { showPicture } from "./avatar.js";
import { ownPicture, picture, putHtml } from "./safe_html.js";
import { ago, when } from "./times.js";

/** @typedef {import("../live/thread_store.js").Comment} Comment */

const DEEPEST = 7;
const MAX_DEPTH = 32;
const BADGES = /** @type {Record<string, string>} */ ({
  author: "badge.author",
  staff: "badge.staff",
  moderator: "badge.moderator",
});
const KEPT_CLASSES = ["unread", "context", "outdated", "since-last", "target", "own", "folded"];
const TOMBSTONES = /** @type {Record<string, string>} */ ({
  removed: "comment.removed",
  deleted: "comment.deleted",
  pending: "comment.pending",
});

/**
 * @typedef {{thread: string, depth: number, parentName: string | null, viewer: string, moderates: boolean, vote: number,
 *   blank: HTMLElement, keepBody?: boolean}} Place
 * `vote`: the viewer's own; `blank`: the template's item; `keepBody`: the text that is read stays for now
 */

/**
 * Make the item show the comment, exactly as the server would render it; a partial comment changes what it holds.
 * @param {HTMLElement} item @param {Comment} comment @param {Place} place
 */
export function fill(item, comment, place) {
  const { thread, depth, parentName, viewer, moderates, vote, blank, keepBody = false } = place;
  const { id, state = "visible", author } = comment;
  const isVisible = state === "visible";
  const part = (/** @type {string} */ name) => /** @type {any} */ (item.querySelector(`:scope > article ${name}`));
  const kept = KEPT_CLASSES.filter((name) => item.classList.contains(name));
  const isAnother = isVisible !== (item.dataset.state === "visible");
  if (isAnother) renewFooter(part("footer"), blank);
  item.id = `c-${id}`;
  item.className = ["comment", `depth-${Math.min(depth, DEEPEST)}`, ...kept].join(" ");
  Object.assign(item.dataset, {
    id,
    parent: comment.parent ?? "",
    version: comment.version,
    state,
    replies: comment.replies ?? 0,
  });
  if (comment.placed) item.dataset.placed = comment.placed;
  if (comment.arrived) item.dataset.arrived = String(comment.arrived);
  part("h3").id = `h-${id}`;
  item.firstElementChild?.setAttribute("aria-labelledby", `h-${id}`);
  if (parentName === null) part(".to")?.remove();
  else part(".to").lastElementChild.textContent = parentName;
  if (author !== undefined || !isVisible) showAuthor(part, author ?? null, isVisible);
  if (comment.created) showTime(part("time"), comment.created);
  link(part(".time"), `/t/${thread}/c/${id}`);
  if (author !== undefined) {
    const note = part(".note");
    note.textContent = !isVisible
      ? ""
      : !author
        ? t("comment.account_removed")
        : comment.edited
          ? t("comment.edited")
          : "";
    link(note, isVisible && comment.edited ? `/c/${id}/history` : "");
  }
  if (!isVisible) part(".body").textContent = TOMBSTONES[state] ? t(TOMBSTONES[state]) : "";
  else if (comment.html !== undefined && !keepBody) putHtml(part(".body"), comment.html);
  if (!keepBody) item.dataset.revision = String(comment.revision ?? item.dataset.revision);
  const isOwn = Boolean(viewer) && author?.name === viewer;
  const menu = part(".menu");
  link(menu, `/c/${id}/more`);
  menu?.setAttribute("aria-label", t("menu.of", { name: part(".name").textContent }));
  link(part(".reply"), `/t/${thread}/c/${id}?reply=${id}#c-${id}`);
  if (!isVisible || depth >= MAX_DEPTH - 1) part(".reply")?.remove();
  part(".reply")?.setAttribute("aria-label", t("composer.reply_to", { name: part(".name").textContent }));
  if (!isVisible) part(".vote")?.remove();
  if (!isVisible && !moderates) menu?.remove();
  const form = part(".vote");
  if (form) {
    form.action = at(`/c/${id}/vote`);
    if (comment.score !== undefined) showScore(form, comment.score);
    for (const button of author === undefined ? [] : form.querySelectorAll("button")) button.disabled = isOwn;
    showVote(form, vote);
  }
}

/** @param {(name: string) => any} part @param {import("../live/thread_store.js").Author | null} author @param {boolean} isVisible */
function showAuthor(part, author, isVisible) {
  part(".name").textContent = isVisible ? (author?.name ?? t("comment.anonymous")) : t("comment.nameless");
  link(part(".name"), isVisible && author ? `/u/${encodeURIComponent(author.name)}` : "");
  showPicture(part(".avatar"), picture(author?.avatar), ownPicture(author?.picture));
  const badge = BADGES[author?.badge ?? ""];
  part(".badge").textContent = badge ? t(badge) : "";
  part(".badge").classList.toggle("author", author?.badge === "author");
}

/** @param {HTMLElement} form @param {number} count */
export function showScore(form, count) {
  const score = /** @type {HTMLDataElement} */ (form.querySelector(".score"));
  score.value = String(count);
  setText(score, t("count.number", { count }));
}

/** @param {HTMLElement} form @param {number} vote the viewer's own */
export function showVote(form, vote) {
  form.querySelectorAll("button").forEach((button, place) => {
    const value = place ? -1 : 1;
    button.setAttribute("aria-pressed", String(vote === value));
    button.value = String(vote === value ? 0 : value);
  });
}

/** What a tombstone does not offer is offered again when it is none any more. @param {HTMLElement} footer @param {HTMLElement} blank */
function renewFooter(footer, blank) {
  const whole = /** @type {HTMLElement} */ (blank.querySelector("footer"));
  footer.replaceChildren(...[...whole.children].map((child) => child.cloneNode(true)));
}

/** @param {HTMLAnchorElement | null} anchor @param {string} path on the server; "": none */
function link(anchor, path) {
  if (path) anchor?.setAttribute("href", at(path));
  else anchor?.removeAttribute("href");
}

/** What is in sight keeps its height, whatever becomes of it. @param {HTMLElement} item */
export function keepHeight(item) {
  const article = /** @type {HTMLElement} */ (item.firstElementChild);
  article.style.minHeight = `${article.getBoundingClientRect().height}px`;
}

/** Turn it into a placeholder that only keeps its height. @param {HTMLElement} item */
export function vacate(item) {
  for (const attribute of ["id", "data-id", "data-parent", "data-version", "data-state"]) {
    item.removeAttribute(attribute);
  }
  item.className = "gone";
}

/** @param {HTMLTimeElement} time @param {string} moment */
export function showTime(time, moment) {
  time.dateTime = moment;
  time.title = when(moment);
  const text = ago(moment, Date.now());
  if (time.textContent !== text) time.textContent = text;
}

/** @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
