/** Ownership of drafts: other accounts' drafts are cleared, one begun before logging in is kept, logging out clears all. */

import { browser, tab } from "../live/browser_storage.js";
import { ALL, BEGUN, stop } from "./drafts.js";

/**
 * Nobody finds another person's text: only the current account's drafts stay. A draft begun in this tab while
 * nobody was logged in becomes its own.
 * @param {string} account
 */
export function keepOnlyOf(account) {
  if (!account) return;
  const isBegun = tab.read(BEGUN);
  for (const name of browser.names(ALL)) {
    if (name.startsWith(`${ALL}${account}:`)) continue;
    if (!name.startsWith(`${ALL}:`)) browser.drop(name);
    else if (isBegun) {
      const own = `${ALL}${account}${name.slice(ALL.length)}`;
      if (!browser.read(own)) browser.keep(own, browser.read(name) ?? "");
      browser.drop(name);
    }
  }
  tab.drop(BEGUN);
}

/** The account logs out: its drafts go, and what still stands in a form is not kept. @param {string} account */
export function forget(account) {
  stop();
  for (const name of browser.names(`${ALL}${account}:`)) browser.drop(name);
}
