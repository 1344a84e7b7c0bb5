/** What comes is spoken, at most every 20 s: a lively thread must not talk without end. */

import { t } from "../texts.js";

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
    if (!unspoken) setTimeout(speak, Math.max(0, spokenAt + SPEAK_EVERY_MS - Date.now()));
    unspoken += /** @type {CustomEvent} */ (event).detail;
  };
  live.view.addEventListener("news", hear, { signal });
}
