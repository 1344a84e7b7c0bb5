/** The bell stops counting an answer or a mention once it was read in the thread. */

import { ask } from "../live/api.js";

const SOON_MS = 500;

/** @param {import("../live_thread.js").Live} live @param {AbortSignal} signal ends it */
export function hearWhatIsRead({ thread, viewer, view, store, host }, signal) {
  // A session on another site's page reads how many are unread, and not what they say.
  if (!viewer || !host.isOwn) return;
  /** @type {Set<number>} */
  const read = new Set();
  let soon = 0;
  const isToMe = (/** @type {HTMLElement} */ item) => {
    const parent = view.item(store.get(Number(item.dataset.id))?.parent ?? 0);
    const names = [...item.querySelectorAll(":scope > article .mention")].map((one) => one.textContent?.slice(1));
    return parent?.querySelector(".name")?.textContent === viewer || names.includes(viewer);
  };
  /** Notices are heard up to a version: as far as no other is before it. */
  const hear = async () => {
    const { unread, notices } = await ask("GET", "/api/me/changes?after=0");
    const waiting = notices.slice(0, unread).reverse();
    const other = waiting.findIndex(
      (/** @type {{thread: string, comment: {id: number}}} */ one) =>
        one.thread !== thread || !read.has(one.comment.id),
    );
    const last = waiting.at((other < 0 ? waiting.length : other) - 1);
    if (other !== 0 && last) host.ring((await ask("PUT", "/api/me/heard", { version: last.version })).unread);
  };
  view.addEventListener("read", (event) => {
    const item = /** @type {CustomEvent<HTMLElement>} */ (event).detail;
    if (!isToMe(item)) return;
    read.add(Number(item.dataset.id));
    clearTimeout(soon);
    soon = setTimeout(() => hear().catch(() => {}), SOON_MS);
  });
  signal.addEventListener("abort", () => clearTimeout(soon));
}
