/** Loads `later.js` and its words once. What failed is tried again under another address: browsers may remember it. */

import { language, learn } from "./words.js";

/** @typedef {typeof import("./later.js")} Later */

/** @type {Map<string, Promise<any>>} by the file's name */
const loading = new Map();
let failures = 0;

/** @returns {Promise<Later>} */
export async function later() {
  const spoken = language;
  const [module] = await Promise.all([
    once("later.js", (file) => import(file)),
    once(`words.${spoken}.json`, async (file) => learn(spoken, await read(file))),
  ]);
  return module;
}

/** @param {string} file @returns {Promise<Record<string, string>>} */
async function read(file) {
  const answer = await fetch(file);
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.json();
}

/** @param {string} name @param {(file: string) => Promise<any>} load */
function once(name, load) {
  // Not written as a literal: the bundler would give the file another name.
  const file = new URL(`${name}${failures ? `?${failures}` : ""}`, import.meta.url).href;
  const loaded = loading.get(name) ?? load(file);
  loading.set(name, loaded);
  loaded.catch(() => {
    failures++;
    loading.delete(name);
  });
  return loaded;
}
