/** Loads `later.js` once. A failed load is tried again under another address: browsers may remember the failure. */

/** @typedef {typeof import("./later.js")} Later */

/** @type {Promise<Later> | undefined} */
let loading;
let failures = 0;

/** @returns {Promise<Later>} */
export function later() {
  loading ??= load();
  return loading;
}

/** @returns {Promise<Later>} */
async function load() {
  // Not written as a literal: the bundler would give the file another name.
  const file = new URL(`later.js${failures ? `?${failures}` : ""}`, import.meta.url).href;
  try {
    return await import(file);
  } catch (error) {
    failures++;
    loading = undefined;
    throw error;
  }
}
