/** Threads as they are under an article of another site: by `/embed.js` itself, to which templates on the page answer. */

import { pretend } from "./network.js";

const MOST_FRAMES = 600;
const UNREAD = 1_234;

pretend(
  (_, path, __, query) => {
    if (path.endsWith("/t")) {
      const { innerHTML = "" } = document.getElementById(`answer-${query.get("key")}`) ?? {};
      return innerHTML ? [200, innerHTML] : [403, {}];
    }
    return [200, path.endsWith("/unread") ? { unread: UNREAD } : { notices: [] }];
  },
  [{ type: "you" }],
);
// Nothing is kept, and nobody reads here: what is new stays so.
Object.assign(Storage.prototype, { getItem: () => null, setItem: () => {}, removeItem: () => {} });
document.hasFocus = () => false;

/** @template T @param {() => T} look @returns {Promise<NonNullable<T>>} what it returns once it is something */
async function until(look) {
  for (let count = 0; count < MOST_FRAMES; count++) {
    const seen = look();
    if (seen) return seen;
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  }
  throw new Error(`${look}`);
}

/** @param {HTMLElement} place */
async function show(place) {
  const { act, key = "" } = place.dataset;
  // What is refused stays the link that it was.
  if (!document.getElementById(`answer-${key}`)) return;
  const root = await until(() => place.shadowRoot);
  await until(() => root.querySelector(".connection[data-state=live]"));
  // What comes last: then all that is loaded later is there.
  await until(() => root.querySelector(".choices"));
  if (act !== "write") return;
  const text = /** @type {HTMLTextAreaElement} */ (root.querySelector(".composer textarea"));
  text.focus();
  text.value = root.querySelector(".body")?.textContent ?? "";
  text.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
}

addEventListener("load", async () => {
  for (const place of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("live-thread")))
    await show(place);
  document.body.dataset.ready = "yes";
});
