/** What the script says, in the language of its thread. The server's catalogue has the texts; knows no DOM. */

/** @type {Record<string, Record<string, string>>} by language: the forms of each text, as the catalogue names them */
const known = {};

/** The language that is spoken here. */
export let language = "";
/** As whom it writes numbers and times. */
export let locale = "en-GB";
/** How it counts, and writes numbers. @type {Intl.PluralRules | undefined} */
let rules;
/** @type {Intl.NumberFormat | undefined} */
let numbers;

/** @param {string} of a language @param {Record<string, string>} texts */
export function learn(of, texts) {
  known[of] = { ...known[of], ...texts };
}

/** @param {string} spoken @param {Record<string, string>} texts */
export function speak(spoken, texts) {
  learn(spoken, texts);
  language = spoken;
  locale = spoken === "en" ? "en-GB" : spoken;
  rules = new Intl.PluralRules(spoken);
  numbers = new Intl.NumberFormat(spoken);
}

/**
 * @param {string} key of the catalogue, written out: by it the server finds which texts the script needs
 * @param {Record<string, any>} [values] `count` decides between the forms of a plural
 */
export function t(key, values = {}) {
  const texts = known[language] ?? {};
  const text = texts[key] ?? texts[`${key}_${rules?.select(values.count)}`] ?? texts[`${key}_other`] ?? key;
  return text.replace(/{{(\w+)(, number)?}}/g, (_, name, isNumber) =>
    isNumber ? numbers?.format(values[name]) : values[name],
  );
}
