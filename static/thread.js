/** Defines `<live-thread>` on the server's own pages, and what around the thread it may change there. */

import { guardRestored } from "./bfcache.js";
import { at } from "./live/addresses.js";
import { Live } from "./live_thread.js";
import { t } from "./texts.js";

/** Back to this very page: drafts and the place are found again. */
const logInAddress = () => at(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);

/** @type {import("./live_thread.js").Host} */
const page = {
  isOwn: true,
  logIn: () => location.assign(logInAddress()),
  target() {
    const [, id] = /\/c\/(\d+)$/.exec(location.pathname) ?? /^#c-(\d+)$/.exec(location.hash) ?? [];
    return Number(id ?? 0);
  },
  ring(count) {
    const place = document.querySelector(".bell .told");
    if (place) place.textContent = count ? t("count.number", { count }) : "";
  },
  loggedOut() {
    const link = document.createElement("a");
    link.href = logInAddress();
    link.textContent = t("action.log_in");
    document.querySelector(".site nav")?.replaceChildren(link);
  },
};

class LiveThread extends HTMLElement {
  /** @type {Live | undefined} */
  live;

  connectedCallback() {
    if (this.live) this.live.moved();
    else this.live = new Live(this, page);
  }

  /** What moves is out only for a moment. */
  disconnectedCallback() {
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.live?.end();
      this.live = undefined;
    });
  }

  /** Moved as a whole (`moveBefore`): nothing was out. */
  connectedMoveCallback() {}
}

guardRestored();
customElements.define("live-thread", LiveThread);
