/** What comes is spoken, at most every 20 s: a lively thread must not talk without end. */

import { t } from "../texts.js";

/** @typedef {import("../live/thread_store.js").Comment} Comment */

const SPEAK_EVERY_MS = 20_000;

/** @param {import("../live_thread.js").Live} live @param {AbortSignal} signal ends it */
export function speakNews(live, signal) {
  let unspoken = 0;
  let spokenAt = 0;
  const speak = () => {
    spokenAt = Date.now();
    live.speak(t("unread.new_comments", { count: unspoken }));
    unspoken = 0;
  };
  const hear = (/** @type {Event} */ event) => {
    const { news, change } = /** @type {CustomEvent} */ (event).detail;
    // What somebody has posted here is not new to them.
    const isOwn = (/** @type {Comment} */ one) => live.view.isOwn(one) && (one.arrived ?? 0) > change.after;
    const count = news - change.comments.filter(isOwn).length;
    if (count <= 0) return;
    if (!unspoken) setTimeout(speak, Math.max(0, spokenAt + SPEAK_EVERY_MS - Date.now()));
    unspoken += count;
  };
  live.view.addEventListener("news", hear, { signal });
}
