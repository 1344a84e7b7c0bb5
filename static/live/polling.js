/** The changes of a thread by requests, while sockets are blocked: by a proxy, a filter list, a host's policy. */

import { ask } from "./api.js";

const FAILURES = 3;
const SHORTEST_MS = 2_000;
const LONGEST_MS = 30_000;
const SLOWER = 1.5;
/** A crowd whose sockets all fell at once asks no more than a thousand times a second. */
const A_READER_MS = 1;

/**
 * Ask whenever so many sockets in a row led nowhere, until one does: often while something comes, seldom otherwise.
 * @param {import("./connection.js").Connection} connection hears the answers as if a socket had brought them
 * @param {{thread: string, viewer: string, position: () => {epoch: string, version: number},
 *   isHidden: () => boolean, isBlocked?: () => boolean}} options
 * `position` says where the client stands; nothing is asked while the page is hidden; `isBlocked`: it is known that no
 * socket will do
 * @param {AbortSignal} signal ends it
 * @returns {() => void} to be called when the page is shown
 */
export function pollWhileBlocked(connection, { thread, viewer, position, isHidden, isBlocked = () => false }, signal) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let next;
  let shortest = SHORTEST_MS;
  let pause = shortest;
  let isAsking = false;
  const stop = () => {
    clearTimeout(next);
    next = undefined;
  };
  const goOn = () => {
    // Jitter: those whose proxy fell at once do not all ask at once.
    next = setTimeout(poll, pause * (0.5 + Math.random() / 2));
  };
  const poll = async () => {
    if (isHidden()) return goOn();
    isAsking = true;
    const { epoch, version } = position();
    const since = `after=${version}&epoch=${encodeURIComponent(epoch)}`;
    const answer = await ask("GET", `/api/threads/${thread}/changes?${since}`).catch(() => null);
    isAsking = false;
    // A socket was faster, or the thread is gone.
    if (!next) return;
    const moved = answer?.reset || (answer && answer.version !== version);
    pause = moved ? shortest : Math.min(LONGEST_MS, pause * SLOWER);
    // What came goes first: "Back online." says how much it is.
    if (moved) connection.bring({ type: answer.reset ? "reset" : "changes", ...answer });
    connection.isLate = Boolean(answer);
    // It may be for the account.
    if (moved && viewer) connection.bring({ type: "you" });
    goOn();
  };
  const hear = (/** @type {Event} */ event) => {
    const state = /** @type {CustomEvent} */ (event).detail;
    if (state === "live" || state === "ended") stop();
    else if (!next && (isBlocked() || connection.failures >= FAILURES)) {
      pause = shortest;
      goOn();
    }
  };
  const count = (/** @type {Event} */ event) => {
    const { type, readers, count } = /** @type {CustomEvent} */ (event).detail;
    const crowd = type === "joined" ? readers : type === "readers" ? count : null;
    if (crowd !== null) shortest = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, crowd * A_READER_MS));
  };
  connection.addEventListener("state", hear, { signal });
  connection.addEventListener("message", count, { signal });
  signal.addEventListener("abort", stop);
  if (isBlocked()) goOn();
  return () => {
    if (!next || isAsking) return;
    clearTimeout(next);
    poll();
  };
}
