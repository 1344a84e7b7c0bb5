/** The reader's session on this site, whose code is loaded where somebody logs in, or could. */

import { speakAs } from "../live/api.js";
import { browser } from "../live/browser_storage.js";

/** @typedef {typeof import("./session.js").session} Session */

/** Once it can open a window. @type {Session | undefined} */
let session;
/** @type {Promise<Session> | undefined} */
let loading;
/** Of a log-in, as the page's address had it; "" for none. */
let arrived = "";

/** @param {string} code of a log-in, as the page's address had it; "" for none */
export function arrive(code) {
  arrived = code;
  speakAs(browser.read("bearer") ?? "");
  // Another tab may wait for it.
  if (code) opened();
}

/** Say whether a log-in has led here: until it has come through, it is not known who reads. */
export const hasArrived = () => Boolean(arrived);

/** @returns {Promise<Session>} once what has led here has come through, or was refused */
export function opened() {
  loading ??= import("./session.js").then(async (loaded) => {
    loaded.session.begin(arrived);
    await loaded.session.ready?.catch(() => {});
    session = loaded.session;
    return session;
  });
  loading.catch(() => {
    loading = undefined;
  });
  return loading;
}

/** Open the window; at once where that is possible, as a press ought to. */
export async function open() {
  (session ?? (await opened())).open();
}
