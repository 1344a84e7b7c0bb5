/** What was begun and not yet posted, kept in this browser per account, thread and parent, with the nonce it was tried under. */

import { browser, tab } from "../live/browser_storage.js";

/** @typedef {{body: string, nonce: string}} Draft */

export const ALL = "draft:";
// Text was begun in this tab while nobody was logged in: see draft_owners.js.
export const BEGUN = "begun";

/** @type {string | null} the account's number, "" where nobody is logged in; null: nothing is kept any more */
let owner = "";

/** @param {string} account */
export function belongTo(account) {
  owner = account;
}

export function stop() {
  owner = null;
  letGo();
}

/** What could not be kept: storage may be refused or full. @type {Map<string, Draft>} by slot */
const unkept = new Map();

/** @returns {boolean} whether all that was begun would survive the page */
export const areSafe = () => owner === null || !unkept.size;

/** @param {Event} event */
const ask = (event) => event.preventDefault();

/** Nothing is lost without a question. Who listens for nothing may be kept in the back-forward cache. */
function guard() {
  if (areSafe()) removeEventListener("beforeunload", ask);
  else addEventListener("beforeunload", ask);
}

/** The text goes along: there is nothing to ask. */
export function letGo() {
  removeEventListener("beforeunload", ask);
}

/** @param {string} thread */
export const slots = (thread) => `${ALL}${owner ?? ""}:${thread}:`;

/** @param {string} thread @param {number | null} parent */
const slot = (thread, parent) => slots(thread) + (parent ?? "");

/** @returns {string} 22 characters, 128 random bits */
export function freshNonce() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .slice(0, 22);
}

/** @param {string} thread @param {number | null} parent @returns {Draft | null} */
export function read(thread, parent) {
  const unsafe = unkept.get(slot(thread, parent));
  if (unsafe) return unsafe;
  try {
    return JSON.parse(browser.read(slot(thread, parent)) ?? "null");
  } catch {
    return null;
  }
}

/**
 * Keep the text; the same text keeps its nonce, so that sending it again makes no second comment.
 * @param {string} thread @param {number | null} parent @param {string} body @returns {Draft}
 */
export function keep(thread, parent, body) {
  const known = read(thread, parent);
  const draft = known?.body === body ? known : { body, nonce: freshNonce() };
  if (owner === null) return draft;
  const name = slot(thread, parent);
  if (!body.trim()) forget(name);
  else if (browser.keep(name, JSON.stringify(draft))) {
    unkept.delete(name);
    if (!owner) tab.keep(BEGUN, "yes");
  } else unkept.set(name, draft);
  guard();
  return draft;
}

/** Forget the draft that was posted, unless another text stands there by now.
 * @param {string} thread @param {number | null} parent @param {string} nonce */
export function clear(thread, parent, nonce) {
  if (read(thread, parent)?.nonce === nonce) forget(slot(thread, parent));
}

/** @param {string} name */
function forget(name) {
  unkept.delete(name);
  browser.drop(name);
  guard();
}

/** All that was begun in one thread goes to another. @param {string} thread @param {string} other */
export function carry(thread, other) {
  const start = slots(thread);
  for (const name of browser.names(start)) {
    const parent = Number(name.slice(start.length)) || null;
    const [draft, there] = [read(thread, parent), read(other, parent)];
    if (!draft) continue;
    if (!there) browser.keep(slot(other, parent), JSON.stringify(draft));
    else if (!there.body.includes(draft.body)) keep(other, parent, `${there.body}\n\n${draft.body}`);
    forget(name);
  }
}

/** @param {string} thread @returns {number[]} the comments to which an answer was begun */
export function begun(thread) {
  const start = slots(thread);
  return browser
    .names(start)
    .map((name) => Number(name.slice(start.length)))
    .filter(Boolean);
}
