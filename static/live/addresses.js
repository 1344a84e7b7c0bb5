/**
 * Where the server is: every address, and every name in the browser's storage, is made here. Never touches the DOM.
 *
 * A page may be the server's own or another site's; the server may be at a path of its host.
 */

/** Where on the server its scripts are. */
const SCRIPT = /(?:static\/[^/]*\/)?[^/]*$/;

/** Without the slash at its end. */
let base = "";
/** The same as the page writes it: without the origin where that is the page's. */
let prefix = "";

/** @param {string} url the address of the server */
export function settle(url) {
  base = url.replace(/\/$/, "");
  const page = globalThis.document?.baseURI;
  prefix = page && new URL(page).origin === new URL(base).origin ? new URL(base).pathname.replace(/\/$/, "") : base;
}

settle(import.meta.url.replace(SCRIPT, ""));

/** @param {string} path on the server, as the protocol names it @returns {string} its address */
export const at = (path) => prefix + path;

/** @returns {string} of the live socket */
export const liveUrl = () => `${base.replace(/^http/, "ws")}/live`;

/** @param {string} what @returns {string} a name that no thread of another server uses in this page's storage */
export const named = (what) => `livethread:${base}:${what}`;
