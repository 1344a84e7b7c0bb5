/** What the tabs of one browser share: what was read, what was begun, and who is logged in. */

const VIEWER = "livethread:viewer";

/** @param {HTMLElement} root @param {import("./later.js").Page} page @param {AbortSignal} signal ends it */
export function shareWithTabs(root, page, signal) {
  shareReading(page.view, page.thread, signal);
  addEventListener("storage", (event) => takeDraft(root, page.thread, event), { signal });
  shareViewer(page, signal);
}

/** What was read in one tab is read in all. @param {import("./view.js").View} view @param {string} thread @param {AbortSignal} signal */
function shareReading(view, thread, signal) {
  const channel = new BroadcastChannel(`livethread:${thread}`);
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
    view.take([]);
  };
  view.addEventListener("settled", drop);
  signal.addEventListener("abort", () => channel.close());
}

/** A form takes what another tab wrote, unless something else was begun in it. @param {HTMLElement} root @param {string} thread @param {StorageEvent} event */
function takeDraft(root, thread, { key, oldValue, newValue }) {
  const slot = `livethread:draft:${thread}:`;
  if (!key?.startsWith(slot)) return;
  const text = root.querySelector(`form.composer[data-parent="${key.slice(slot.length)}"] textarea`);
  if (text instanceof HTMLTextAreaElement && text.value === bodyOf(oldValue)) text.value = bodyOf(newValue);
}

/** @param {string | null} draft */
function bodyOf(draft) {
  return draft ? JSON.parse(draft).body : "";
}

/** A tab of somebody who has logged in or out elsewhere begins anew; what is written there is kept. @param {import("./later.js").Page} page @param {AbortSignal} signal */
function shareViewer(page, signal) {
  const { viewer, composer } = page;
  try {
    localStorage.setItem(VIEWER, viewer);
  } catch {
    // Storage may be full or forbidden: then each tab is for itself.
    return;
  }
  const look = () => {
    const now = localStorage.getItem(VIEWER) ?? "";
    if (now === viewer) return;
    composer.keepAll();
    if (!document.hasFocus() || !document.activeElement?.matches("textarea")) location.reload();
    else if (now) page.say(`You are ${now} now, in another tab. Reload this one to go on.`, 0);
    else page.say("You have logged out elsewhere. What you write is kept.", 0);
  };
  addEventListener("storage", ({ key }) => key === VIEWER && look(), { signal });
  addEventListener("pageshow", ({ persisted }) => persisted && look(), { signal });
}
