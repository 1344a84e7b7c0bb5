/** Loads `after_paint.js` and its words once. What failed is tried again under another address: browsers may remember it. */

import { language, learn } from "./texts.js";

/** @typedef {typeof import("./after_paint.js")} Later */

/** @type {Map<string, Promise<any>>} by the file's name */
const loading = new Map();
let failures = 0;

/** @returns {Promise<Later>} */
export async function later() {
  const spoken = language;
  const [module] = await Promise.all([
    once("after_paint.js", (file) => import(file)),
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
