/**
 * HTML of the server's renderer as nodes of this page: only what is on the list of `server/text/markup.py` comes in, from
 * any sender. Knows no comment.
 */

import { at } from "../live/addresses.js";
import { t } from "../texts.js";
import { build } from "./html_parser.js";

const REL = "nofollow ugc noopener noreferrer";
// As the server marks it in texts; what the reader sees is in their language.
const GONE = "<p>What was quoted here is gone.</p>";
const ANY = /(?:)/;
const NONE = /** @type {Record<string, RegExp>} */ ({});
/** What each element may have, and its values in full. @type {Record<string, Record<string, RegExp>>} */
const ALLOWED = {
  a: {
    href: /^(?:(?:https?:\/\/|mailto:)[^\s]+|\/t\/[\w.~-]{1,200}\/c\/\d{1,16}|\/u\/[^/?#\\\s]+)$/i,
    title: ANY,
    class: /^mention$/,
    rel: new RegExp(`^${REL}$`),
  },
  ol: { start: /^-?\d{1,9}$/ },
  span: { class: /^spoiler$/, tabindex: /^0$/ },
};
for (const tag of "blockquote br code del em hr li p pre strong ul i b s".split(" ")) ALLOWED[tag] = NONE;

/**
 * Show the HTML in `place`. The same text is left as it stands, and what is selected in it; another revision is not all
 * that changes one: a quote goes with its source.
 * @param {HTMLElement} place @param {string} given
 */
export function putHtml(place, given) {
  const html = given.replaceAll(GONE, `<p>${t("comment.quote_gone")}</p>`);
  if (place.innerHTML === html) return;
  const made = /** @type {HTMLElement} */ (place.cloneNode());
  build(html, made, (tag, attributes) => element(place.ownerDocument, tag, attributes));
  if (!made.isEqualNode(place)) place.replaceChildren(...made.childNodes);
}

/** @param {Document} document @param {string} tag @param {[string, string][]} attributes */
function element(document, tag, attributes) {
  if (!Object.hasOwn(ALLOWED, tag)) return null;
  const may = ALLOWED[tag];
  const made = document.createElement(tag);
  for (const [name, value] of attributes) {
    // A path is one of the server, wherever this page is.
    if (Object.hasOwn(may, name) && may[name].test(value))
      made.setAttribute(name, value.startsWith("/") ? at(value) : value);
  }
  if (made.matches("a[href]:not(.mention, [rel])")) made.setAttribute("rel", REL);
  return made;
}

/** @param {unknown} path @returns {string} a picture of this server, or that of nobody */
export function picture(path) {
  return at(/^\/avatar\/[^/?#\\]+$/.test(String(path)) ? String(path) : "/avatar/anonymous.svg");
}

/** @param {unknown} hash @returns {string} the address of somebody's own picture; "": none */
export const ownPicture = (hash) => (/^[0-9a-f]{32}$/.test(String(hash)) ? at(`/picture/${hash}.webp`) : "");

/** Say whether the ids and versions are such. @param {import("../live/thread_store.js").Change} change */
export function isSound({ version, after, comments }) {
  return [version, after, ...comments.flatMap((one) => [one.id, one.version])].every(Number.isSafeInteger);
}
