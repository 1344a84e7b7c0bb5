/** Times as text, in the language that is spoken and the reader's own time. The server writes the same, in UTC. */

import { locale, t } from "../words.js";

const SPANS = /** @type {const} */ ([
  [3600, 60, "minute"],
  [86_400, 3600, "hour"],
  [2_592_000, 86_400, "day"],
]);
const WRITTEN = /** @type {const} */ ({
  day: { dateStyle: "medium" },
  short: { day: "numeric", month: "short" },
  time: { timeStyle: "short" },
});

/** To make one takes longer than to use it. @type {Map<string, any>} */
const made = new Map();

/** @template T @param {string} what @param {(locale: string) => T} make @returns {T} */
function kept(what, make) {
  const key = locale + what;
  if (!made.has(key)) made.set(key, make(locale));
  return made.get(key);
}

/** @param {keyof typeof WRITTEN} what @param {string} moment RFC 3339 */
export const written = (what, moment) =>
  kept(what, (of) => new Intl.DateTimeFormat(of, WRITTEN[what])).format(new Date(moment));

/** @param {string} moment RFC 3339 @param {"day" | "short"} [day] @returns {string} "6 Jan 2026, 14:02" */
export const when = (moment, day = "day") =>
  t("time.day_and_time", { day: written(day, moment), time: written("time", moment) });

/** @param {string} moment RFC 3339 @param {number} now ms @returns {string} "2 hrs", or a date after a month */
export function ago(moment, now) {
  const seconds = (now - Date.parse(moment)) / 1000;
  if (seconds < 60)
    return kept("now", (of) => new Intl.RelativeTimeFormat(of, { numeric: "auto" }).format(0, "second"));
  for (const [below, span, unit] of SPANS) {
    if (seconds >= below) continue;
    const format = kept(unit, (of) => new Intl.NumberFormat(of, { style: "unit", unit }));
    return format.format(Math.floor(seconds / span));
  }
  return written("day", moment);
}
