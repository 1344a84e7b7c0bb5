/** Times as text. */

const STEPS = /** @type {const} */ ([
  [60, 1, "s"],
  [3600, 60, "min"],
  [86_400, 3600, "h"],
  [2_592_000, 86_400, "d"],
]);

/** @param {string} moment RFC 3339 @param {number} now ms @returns {string} "2 h", or a date after a month */
export function ago(moment, now) {
  const seconds = Math.max(0, (now - Date.parse(moment)) / 1000);
  if (seconds < 60) return "now";
  for (const [below, unit, name] of STEPS) {
    if (seconds < below) return `${Math.floor(seconds / unit)} ${name}`;
  }
  return new Date(moment).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}
