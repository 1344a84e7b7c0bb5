/** How long a text may be, counted as the server counts: characters, not the halves that scripts see. */

import { t } from "../texts.js";

export const MOST = 10_000;
const NEAR = 9_000;

/** @param {string} text @returns {number} characters too many, or less than 0 */
export const excess = (text) => [...text.normalize("NFC").trim()].length - MOST;

/** @param {HTMLTextAreaElement} text the counter stands below what is said of it, once the limit is near */
export function showLimit(text) {
  const shown = text.parentElement?.querySelector(":scope > .limit");
  // What is far below is not counted at every key.
  const over = text.value.length > NEAR ? excess(text.value) : -MOST;
  const says =
    over > 0 ? t("composer.over", { count: over }) : over > NEAR - MOST ? t("composer.left", { count: -over }) : "";
  if (!says) return shown?.remove();
  const place = shown ?? text.ownerDocument.createElement("p");
  place.className = over > 0 ? "limit over" : "limit";
  place.textContent = says;
  if (!shown) text.form?.querySelector(".says")?.after(place);
}
