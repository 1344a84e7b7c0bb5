/** Posting: shown at once, and what became of it is said. What was written stays in the composer until it is answered. */

import { at } from "../live/addresses.js";
import { postComment } from "../live/api.js";
import { t } from "../texts.js";
import { showOwn } from "../view/held_replies.js";
import { showPending } from "../view/pending_post.js";
import { placeOf } from "../view/viewport.js";

/** @typedef {import("../live/thread_store.js").Comment} Comment */

/**
 * @param {import("../live_thread.js").Live} live @param {import("./composer.js").Post} post
 * @returns {Promise<void>} done once the server has the comment; rejects with Refused
 */
export async function publish(live, post) {
  const { root, thread, store, view } = live;
  view.own.add(post.nonce);
  showPending(view, post);
  try {
    const comment = await postComment(thread, { ...post, ...live.host.page });
    view.addEventListener("settled", () => tell(live, comment, post.parent), { once: true });
    view.show(store.answer(comment));
    if (comment.state === "pending") showOwn(root, comment);
  } finally {
    view.removePending(post.nonce);
  }
}

/** Say what became of it, and how to get there if it is not in sight. @param {import("../live_thread.js").Live} live @param {Comment} comment @param {number | null} parent */
function tell(live, { id, state }, parent) {
  const { root, thread, view } = live;
  const item = view.item(id);
  // Behind a link it is not there: what it answers is.
  const article = (item ?? view.item(parent ?? 0))?.querySelector("article");
  item?.classList.add("own");
  if (article && parent) {
    article.tabIndex = -1;
    article.focus({ preventScroll: true });
  }
  if (state === "pending") return live.say(t("thread.held"));
  if (item && placeOf(item) === "in") return live.speak(t("composer.posted"));
  const door = root.ownerDocument.createElement("a");
  door.textContent = t("composer.show");
  door.href = at(`/t/${thread}/c/${id}`);
  door.addEventListener("click", (event) => {
    const there = view.item(id);
    if (!there) return;
    event.preventDefault();
    view.goTo(there);
  });
  live.say(t("composer.posted"), undefined, door);
}
