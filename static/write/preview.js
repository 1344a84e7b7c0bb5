/** The text exactly as it will be shown: beside it where there is room, else in its place. Follows what is typed. */

import { ask } from "../live/api.js";
import { putHtml } from "../view/safe_html.js";
import { say } from "./saying.js";

const SOON_MS = 600;

/** @param {HTMLElement} root @param {AbortSignal} signal ends it */
export function offerPreviews(root, signal) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let soon;
  const submitted = (/** @type {SubmitEvent} */ { submitter, target }) => {
    const form = /** @type {HTMLFormElement} */ (target);
    if (!form.matches(".composer")) return;
    if (submitter?.matches(".preview") && !shownIn(form)) open(form);
    else close(form);
  };
  const typed = (/** @type {Event} */ { target }) => {
    const form = target instanceof HTMLTextAreaElement ? target.form : null;
    if (!form || !shownIn(form)) return;
    clearTimeout(soon);
    soon = setTimeout(() => show(form), SOON_MS);
  };
  root.addEventListener("submit", submitted, { signal });
  root.addEventListener("input", typed, { signal });
  signal.addEventListener("abort", () => {
    clearTimeout(soon);
    for (const form of root.querySelectorAll(/** @type {"form"} */ ("form.previewing"))) close(form);
  });
}

/** @param {HTMLFormElement} form @returns {HTMLElement | null} */
const shownIn = (form) => form.querySelector(":scope > .shown");

/** @param {HTMLFormElement} form */
const textOf = (form) => /** @type {HTMLTextAreaElement} */ (form.elements.namedItem("body"));

/** @param {HTMLFormElement} form @param {boolean} isOn */
function mark(form, isOn) {
  form.classList.toggle("previewing", isOn);
  form.querySelector("button.preview")?.setAttribute("aria-pressed", String(isOn));
}

/** @param {HTMLFormElement} form */
function open(form) {
  if (!textOf(form).value.trim()) return;
  const place = form.ownerDocument.createElement("div");
  place.className = "body shown";
  place.dir = "auto";
  textOf(form).after(place);
  mark(form, true);
  show(form);
}

/** @param {HTMLFormElement} form */
function close(form) {
  shownIn(form)?.remove();
  mark(form, false);
}

/** @param {HTMLFormElement} form */
async function show(form) {
  const body = textOf(form).value;
  try {
    const { html } = await ask("POST", "/api/preview", { body });
    const place = shownIn(form);
    // What was typed meanwhile is asked for by itself.
    if (place && body === textOf(form).value) putHtml(place, html);
  } catch (error) {
    if (!shownIn(form)) return;
    close(form);
    const { message, status } = /** @type {import("../live/api.js").Refused} */ (error);
    say(form, message, status === 422);
  }
}
