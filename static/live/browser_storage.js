/** What the browser keeps for this page. Storage may be refused, full or broken at any time: then nothing is kept. */

import { named } from "./addresses.js";

/** @template T @param {() => T} act @param {T} otherwise @returns {T} */
function tried(act, otherwise) {
  try {
    return act();
  } catch {
    return otherwise;
  }
}

/** @param {() => Storage} where even to name a storage may be refused */
const within = (where) => ({
  /** @param {string} what @returns {string | null} */
  read: (what) => tried(() => where().getItem(named(what)), null),
  /** @param {string} what @param {string} value @returns {boolean} whether it is kept */
  keep: (what, value) => tried(() => where().setItem(named(what), value) ?? true, false),
  /** @param {string} what */
  drop: (what) => tried(() => where().removeItem(named(what)), undefined),
  /** @param {string} begin @returns {string[]} what is kept under names that begin so */
  names: (begin) => {
    const start = named(begin);
    const kept = tried(() => Object.keys(where()), /** @type {string[]} */ ([]));
    return kept.filter((key) => key.startsWith(start)).map((key) => key.slice(start.length - begin.length));
  },
});

/** For all tabs, and later visits. */
export const browser = within(() => localStorage);
/** For this tab alone. */
export const tab = within(() => sessionStorage);
