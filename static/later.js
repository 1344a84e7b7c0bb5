/** What can wait until the thread is painted: the last visit, what is held, keys, other tabs, and rest while nobody looks. */

import { LastVisit } from "./catch_up.js";
import { tellHeld } from "./held.js";
import { Keys } from "./keys.js";
import { shareWithTabs } from "./tabs.js";
import { Writers } from "./typing.js";

const HIDDEN_MS = 300_000;

/**
 * @typedef {{store: import("./store.js").Store, view: import("./view.js").View, thread: string, viewer: string,
 *   composer: import("./composer.js").Composer, connection: import("./connection.js").Connection,
 *   more: (link: HTMLElement) => Promise<void>, say: (text: string, forMs?: number) => void}} Page
 */

/** @param {HTMLElement} root @param {Page} page @param {AbortSignal} signal ends it @returns {LastVisit} */
export function begin(root, page, signal) {
  const { store, view, thread, viewer } = page;
  tellHeld(view, store);
  tellWhoAnswers(page);
  tellWhoWrites(root, page);
  tellWhoIsOut(root, page);
  shareWithTabs(root, page, signal);
  restWhileHidden(page.connection, signal);
  const visit = new LastVisit(root, store, view, { thread, viewer });
  const acts = { more: page.more.bind(page), answer: page.composer.answer.bind(page.composer) };
  new Keys(root, view, { visit, ...acts }, signal);
  page.connection.addEventListener("message", (event) => {
    visit.hear(/** @type {CustomEvent} */ (event).detail);
  });
  visit.begin();
  return visit;
}

/** Another text or state is a change to who answers it; its score and its counts are none. @param {Page} page */
function tellWhoAnswers({ connection, store, view }) {
  connection.addEventListener("message", (event) => {
    // What is drawn is as it was, until the next frame.
    for (const { id } of /** @type {CustomEvent} */ (event).detail.comments ?? []) {
      const [item, now] = [view.item(id), store.get(id)];
      if (!item || (item.dataset.state === now?.state && item.dataset.revision === String(now?.revision))) continue;
      const form = item.querySelector(":scope > ol > .answering form");
      const says = form?.querySelector("textarea")?.value.trim() && form.querySelector(".says");
      if (says) says.textContent = "This comment changed while you wrote.";
    }
  });
}

/** Until it is there: then nobody is writing it any more. @param {HTMLElement} root @param {Page} page */
function tellWhoWrites(root, { connection, view, viewer }) {
  const writers = new Writers(root, viewer, view.newest);
  connection.addEventListener("message", (event) => {
    const { type, parent, names, comments = [] } = /** @type {CustomEvent} */ (event).detail;
    if (type === "typing") writers.show(parent, names);
    // Several at once come in any order.
    else for (const comment of comments.toSorted(byId)) writers.drop(comment);
  });
}

/** The account's session has ended elsewhere, by itself or by a ban: one goes on reading, and what is written is kept. @param {HTMLElement} root @param {Page} page */
function tellWhoIsOut(root, page) {
  page.connection.addEventListener("message", (event) => {
    const { type, error } = /** @type {CustomEvent} */ (event).detail;
    if (type !== "refused" || error.status !== 401) return;
    page.composer.signOut();
    for (const form of [page.composer.blank, ...root.querySelectorAll("form.composer")]) {
      form.querySelector(".preview")?.remove();
    }
    const link = document.createElement("a");
    link.href = `/login?next=${encodeURIComponent(location.pathname)}`;
    link.textContent = "Log in";
    root.ownerDocument.querySelector(".site nav")?.replaceChildren(link);
    page.say(`${error.code === "banned" ? error.message : "You are logged out."} What you write is kept.`, 0);
  });
}

const byId = (/** @type {{id: number}} */ one, /** @type {{id: number}} */ other) => one.id - other.id;

/** Nobody looks: after a while the socket is closed. Coming back opens it, and resumes. @param {Page["connection"]} connection @param {AbortSignal} signal */
function restWhileHidden(connection, signal) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let resting;
  const look = () => {
    clearTimeout(resting);
    if (document.visibilityState === "hidden") resting = setTimeout(() => connection.close(), HIDDEN_MS);
  };
  document.addEventListener("visibilitychange", look, { signal });
  signal.addEventListener("abort", () => clearTimeout(resting));
  look();
}
