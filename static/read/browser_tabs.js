/** Shared between the tabs of one browser: read marks, drafts and the login. */

import { named } from "../live/addresses.js";
import { browser } from "../live/browser_storage.js";
import { t } from "../texts.js";
import { focused } from "../view/selection.js";
import { forget } from "../write/draft_owners.js";
import { slots } from "../write/drafts.js";

const VIEWER = "viewer";

/** @param {HTMLElement} root @param {import("../wire_after_paint.js").Page} page @param {AbortSignal} signal ends it */
export function shareWithTabs(root, page, signal) {
  shareReading(page.view, page.thread, signal);
  addEventListener("storage", (event) => takeDraft(root, page.thread, event), { signal });
  shareViewer(root, page, signal);
  const account = root.getAttribute("account") ?? "";
  const out = (/** @type {Event} */ { target }) =>
    page.host.isOwn && target instanceof Element && target.matches("[action$='/logout']") && forget(account);
  document.addEventListener("submit", out, { signal });
}

/** What was read in one tab is read in all. @param {import("../view/view.js").View} view @param {string} thread @param {AbortSignal} signal */
function shareReading(view, thread, signal) {
  const channel = new BroadcastChannel(named(`read:${thread}`));
  /** @type {Set<number>} read elsewhere, and perhaps not drawn here yet */
  const read = new Set();
  const drop = () => {
    for (const id of read) {
      const item = view.item(id);
      if (!item) continue;
      view.unread.drop(item);
      read.delete(id);
    }
  };
  view.addEventListener("read", (event) => {
    channel.postMessage(Number(/** @type {CustomEvent<HTMLElement>} */ (event).detail.dataset.id));
  });
  channel.onmessage = ({ data }) => {
    read.add(data);
    drop();
    view.refresh();
  };
  view.addEventListener("settled", drop);
  signal.addEventListener("abort", () => channel.close());
}

/** A form takes what another tab wrote, unless something else was begun in it. @param {HTMLElement} root @param {string} thread @param {StorageEvent} event */
function takeDraft(root, thread, { key, oldValue, newValue }) {
  const slot = named(slots(thread));
  if (!key?.startsWith(slot)) return;
  const text = root.querySelector(`form.composer[data-parent="${key.slice(slot.length)}"] textarea`);
  if (text instanceof HTMLTextAreaElement && text.value === bodyOf(oldValue)) text.value = bodyOf(newValue);
}

/** @param {string | null} draft */
function bodyOf(draft) {
  return draft ? JSON.parse(draft).body : "";
}

/** Reloads a tab after a login or logout in another one; drafts are kept. @param {HTMLElement} root @param {import("../wire_after_paint.js").Page} page @param {AbortSignal} signal */
function shareViewer(root, page, signal) {
  const { viewer, composer, host } = page;
  if (!host.isOwn || !browser.keep(VIEWER, viewer)) return;
  const look = () => {
    const now = browser.read(VIEWER) ?? "";
    if (now === viewer) return;
    composer.keepAll();
    if (!document.hasFocus() || !focused(root)?.matches("textarea")) location.reload();
    else if (now) page.say(t("tabs.logged_in", { name: now }), 0);
    else page.say(t("tabs.logged_out"), 0);
  };
  addEventListener("storage", ({ key }) => key === named(VIEWER) && look(), { signal });
  addEventListener("pageshow", ({ persisted }) => persisted && look(), { signal });
}
