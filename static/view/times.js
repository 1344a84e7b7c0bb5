/** Times as text, in the language that is spoken and the reader's own time. The server writes the same, in UTC. */

import { locale, t } from "../texts.js";

const SPANS = /** @type {const} */ ([
  [3600, 60, "minute"],
  [86_400, 3600, "hour"],
  [2_592_000, 86_400, "day"],
]);
/** To make one takes longer than to use it. @type {Record<string, any>} */
const made = {};

/** @param {string} what @param {() => any} make @returns {any} what it makes for the language that is spoken */
function kept(what, make) {
  made[locale + what] ??= make();
  return made[locale + what];
}

/** @param {string} moment RFC 3339 @param {Intl.DateTimeFormatOptions} how @returns {string} "6 Jan 2026" or "14:02" */
export const written = (moment, how) =>
  kept(JSON.stringify(how), () => new Intl.DateTimeFormat(locale, how)).format(new Date(moment));

export const DAY = /** @type {const} */ ({ dateStyle: "medium" });
export const TIME = /** @type {const} */ ({ timeStyle: "short" });

/** @param {string} moment RFC 3339 @param {Intl.DateTimeFormatOptions} [day] @returns {string} "6 Jan 2026, 14:02" */
export const when = (moment, day = DAY) =>
  t("time.day_and_time", { day: written(moment, day), time: written(moment, TIME) });

/** @param {string} moment RFC 3339 @param {number} now ms @returns {string} "2 hrs", or a date after a month */
export function ago(moment, now) {
  const seconds = (now - Date.parse(moment)) / 1000;
  if (seconds < 60)
    return kept("now", () => new Intl.RelativeTimeFormat(locale, { numeric: "auto" })).format(0, "second");
  for (const [below, span, unit] of SPANS) {
    if (seconds >= below) continue;
    const format = kept(unit, () => new Intl.NumberFormat(locale, { style: "unit", unit }));
    return format.format(Math.floor(seconds / span));
  }
  return written(moment, DAY);
}
