/**
 * On the page of replies: says how many have come since it was made, where nothing moves for it, and counts at the bell.
 *
 * What it misses is not lost: it looks again whenever it comes back, and a page made anew has all.
 */

import { liveUrl } from "./live/addresses.js";
import { ask } from "./live/api.js";
import { speak, t } from "./texts.js";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

const place = /** @type {HTMLElement} */ (document.querySelector(".inbox"));
const link = /** @type {HTMLAnchorElement} */ (place.querySelector(".fresh"));
const { version, words = "", live } = place.dataset;
/** @type {WebSocket | undefined} */
let socket;
let isOpening = false;
let failures = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let retry;

async function look() {
  const { unread, notices } = await ask("GET", `/api/me/changes?after=${version}`);
  const told = document.querySelector(".bell .told");
  if (told) told.textContent = unread ? t("count.number", { count: unread }) : "";
  link.textContent = t("unread.new_replies", { count: notices.length });
  link.hidden = !notices.length;
}

async function open() {
  if (socket || isOpening || document.hidden) return;
  isOpening = true;
  try {
    const { ticket } = await ask("POST", "/api/ticket", {});
    const opened = new WebSocket(live || liveUrl());
    socket = opened;
    opened.onopen = () => {
      opened.send(JSON.stringify({ type: "hello", ticket }));
      // What came before it hears is looked for.
      look().then(() => {
        failures = 0;
      }, again);
    };
    opened.onmessage = ({ data }) => {
      if (JSON.parse(data).type === "you") look().catch(again);
    };
    opened.onclose = again;
  } catch (error) {
    // Nobody is logged in any more: the page says so when it is made anew.
    if (/** @type {{status?: number}} */ (error).status !== 401) again();
  }
  isOpening = false;
}

/** Full jitter: a thousand pages that fell together do not come back together. */
function again() {
  close();
  clearTimeout(retry);
  retry = setTimeout(open, Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** ++failures));
}

function close() {
  if (socket) socket.onclose = null;
  socket?.close();
  socket = undefined;
}

speak(document.documentElement.lang, JSON.parse(words));
document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
open();
