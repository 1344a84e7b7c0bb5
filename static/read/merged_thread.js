/** The thread went into another one: the reader goes along, with what was begun. Nobody is led away while writing. */

import { at } from "../live/addresses.js";
import { t } from "../texts.js";
import { focused } from "../view/selection.js";
import { firstInSight, keep } from "../view/viewport.js";
import * as drafts from "../write/drafts.js";

/** @param {import("../wire_after_paint.js").Page} page @param {AbortSignal} signal ends it */
export function followMerge(page, signal) {
  let isTold = false;
  const hear = (/** @type {Event} */ event) => {
    const key = /** @type {CustomEvent} */ (event).detail.info?.moved;
    if (!key || isTold) return;
    isTold = true;
    const door = page.root.ownerDocument.createElement("a");
    door.href = at(`/t/${key}`);
    door.textContent = t("composer.show");
    door.addEventListener("click", (pressed) => {
      pressed.preventDefault();
      follow(page, key);
    });
    if (focused(page.root)?.matches("textarea") || !drafts.areSafe()) page.say(t("thread.merged"), 0, door);
    else follow(page, key);
  };
  page.connection.addEventListener("message", hear, { signal });
}

/** @param {import("../wire_after_paint.js").Page} page @param {string} key of the thread where all is now */
function follow({ root, thread, host, view, composer }, key) {
  const line = firstInSight(view.list);
  composer.keepAll();
  drafts.carry(thread, key);
  if (host.isOwn) {
    const id = scrollY > 0 ? /** @type {HTMLElement | undefined} */ (line?.item)?.dataset.id : "";
    location.replace(at(`/t/${key}${id ? `/c/${id}` : ""}`));
    return;
  }
  const shadow = /** @type {ShadowRoot} */ (root.getRootNode());
  const goBack = () => {
    const item = line && shadow.getElementById(line.item.id);
    if (item) keep({ item, top: line.top });
  };
  shadow.host.addEventListener("livethread-ready", goBack, { once: true });
  /** @type {any} */ (shadow.host).refresh();
}
