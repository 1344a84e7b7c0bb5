/** What is new since the last visit, kept in this browser or with the account; and the account's votes and bell. */

import { ask } from "./api.js";
import { showVote } from "./item.js";

/** @typedef {{comment: number, version: number, at: string}} Visit */

const SHORT_MS = 60_000;

/** Show how much of what concerns the account is unread. */
export async function ringBell() {
  const { unread } = await ask("GET", `/api/me/changes?after=${Number.MAX_SAFE_INTEGER}`);
  const place = document.querySelector(".bell .told");
  if (place) place.textContent = unread ? String(unread) : "";
}

export class LastVisit {
  /** @type {Visit | null} */
  last = null;

  /**
   * @param {HTMLElement} root @param {import("./store.js").Store} store @param {import("./view.js").View} view
   * @param {{thread: string, viewer: string}} page
   */
  constructor(root, store, view, { thread, viewer }) {
    this.root = root;
    this.store = store;
    this.view = view;
    this.viewer = viewer;
    this.thread = thread;
    this.slot = `livethread:visit:${thread}`;
  }

  /** Ask what the account's votes here are, and when it was here last; say what is new. */
  async begin() {
    if (this.viewer) {
      const mine = await ask("GET", `/api/threads/${this.thread}/mine`).catch(() => null);
      this.#showVotes(mine?.votes ?? {});
      this.last = mine?.visit ?? null;
    } else {
      this.last = this.#read();
    }
    this.#tell();
  }

  /** @param {Record<string, number>} votes the account's own, by comment */
  #showVotes(votes) {
    for (const [id, value] of Object.entries(votes)) {
      this.view.votes.set(Number(id), value);
      const form = this.view.item(Number(id))?.querySelector(":scope > article .vote");
      if (form instanceof HTMLElement) showVote(form, value);
    }
  }

  /** Keep that everything up to now was there to be read. */
  keep() {
    const visit = { comment: this.view.newest, version: this.store.version, at: new Date().toISOString() };
    if (!visit.comment) return;
    if (this.viewer) this.#send(visit);
    else this.#write(visit);
  }

  /** Say what came since then, and mark it. */
  #tell() {
    const { last } = this;
    const place = this.root.querySelector(".since");
    if (!last || !(place instanceof HTMLElement) || Date.now() - Date.parse(last.at) < SHORT_MS) return;
    const items = /** @type {HTMLElement[]} */ ([...this.root.querySelectorAll("li[data-id]")]);
    const fresh = items.filter(({ dataset: { id, state } }) => Number(id) > last.comment && state === "visible");
    const removed = items.filter(
      ({ dataset: { id, state, version } }) =>
        Number(id) <= last.comment && state !== "visible" && Number(version) > last.version,
    );
    if (!fresh.length && !removed.length) return;
    const author = this.root.getAttribute("author");
    const name = (/** @type {Element | null | undefined} */ item) => item?.querySelector(".name")?.textContent;
    const parts = [`${fresh.length} new`];
    const byAuthor = author ? fresh.filter((item) => name(item) === author).length : 0;
    const toMe = this.viewer
      ? fresh.filter((item) => name(item.parentElement?.closest("li")) === this.viewer).length
      : 0;
    if (byAuthor) parts.push(`${byAuthor} by the author`);
    if (toMe) parts.push(`${toMe} to you`);
    if (removed.length) parts.push(`${removed.length} removed`);
    const [text, toggle] = /** @type {[HTMLElement, HTMLButtonElement]} */ ([...place.children]);
    text.textContent = `Since ${when(last.at)}: ${parts.join(", ")}`;
    toggle.addEventListener("click", () => this.#onlyNew(toggle));
    toggle.hidden = !fresh.length;
    place.hidden = false;
    this.view.markNewer(last.comment);
    for (const item of fresh) item.classList.add("since-last");
  }

  /** @param {HTMLButtonElement} toggle */
  #onlyNew(toggle) {
    const isOn = this.root.classList.toggle("only-new");
    toggle.setAttribute("aria-pressed", String(isOn));
    toggle.textContent = isOn ? "Show all" : "Only the new";
  }

  /** Also while the page goes away. @param {Visit} visit */
  #send({ comment, version }) {
    const body = JSON.stringify({ comment, version });
    const headers = { "content-type": "application/json" };
    fetch(`/api/threads/${this.thread}/visit`, { method: "PUT", body, headers, keepalive: true }).catch(() => {});
  }

  /** @returns {Visit | null} */
  #read() {
    try {
      return JSON.parse(localStorage.getItem(this.slot) ?? "null");
    } catch {
      return null;
    }
  }

  /** @param {Visit} visit */
  #write(visit) {
    try {
      localStorage.setItem(this.slot, JSON.stringify(visit));
    } catch {
      // Storage may be full or forbidden: then everything is as new as it was.
    }
  }
}

/** @param {string} moment @returns {string} "14:02" today, else with the day */
function when(moment) {
  const at = new Date(moment);
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? time : `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}, ${time}`;
}
