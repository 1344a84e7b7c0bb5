/** Formats of a text while it is written: by buttons, by keys, and an address pasted on what is selected. Knows no draft. */

import { t } from "../texts.js";
import { say } from "./saying.js";

/** @typedef {(text: HTMLTextAreaElement) => void} Act */

/** @type {[label: string, name: string, keys: string, act: Act][]} `keys`: with Ctrl or Cmd; with Shift the place of the key */
const FORMATS = [
  ["B", "formats.bold", "b", (text) => wrap(text, "**")],
  ["I", "formats.italic", "i", (text) => wrap(text, "*")],
  ["<>", "formats.code", "e", (text) => wrap(text, "`")],
  ["", "formats.spoiler", "Shift+KeyH", (text) => wrap(text, "||")],
  ["", "formats.link", "k", (text) => link(text)],
  ["❝", "formats.quote", "Shift+Period", (text) => prefix(text, "> ")],
  ["•", "formats.list", "Shift+Digit8", (text) => prefix(text, "- ")],
];
const ADDRESS = /^https?:\/\/[^\s]+$/;

/** Write it as if by hand, so that it can be undone. @param {HTMLTextAreaElement} text @param {string} written */
function write(text, written) {
  text.focus();
  if (!text.ownerDocument.execCommand("insertText", false, written)) {
    text.setRangeText(written, text.selectionStart, text.selectionEnd, "end");
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/** @param {HTMLTextAreaElement} text */
const selected = (text) => text.value.slice(text.selectionStart, text.selectionEnd);

/** @param {HTMLTextAreaElement} text @param {string} mark before and after it */
function wrap(text, mark) {
  const [start, what] = [text.selectionStart, selected(text)];
  write(text, mark + what + mark);
  text.setSelectionRange(start + mark.length, start + mark.length + what.length);
}

/** @param {HTMLTextAreaElement} text @param {string} begin */
function prefix(text, begin) {
  const start = text.value.lastIndexOf("\n", text.selectionStart - 1) + 1;
  text.setSelectionRange(start, text.selectionEnd);
  write(text, selected(text).replace(/^/gm, begin));
}

/** A link with what is selected as its words. @param {HTMLTextAreaElement} text @param {string} [address] */
function link(text, address = "https://") {
  const words = selected(text);
  const start = text.selectionStart;
  write(text, `[${words}](${address})`);
  const at = words ? start + words.length + 3 : start + 1;
  if (address === "https://") text.setSelectionRange(at, words ? at + address.length : at);
}

/** @param {EventTarget | null} target @returns {HTMLTextAreaElement | null} */
const written = (target) =>
  target instanceof HTMLTextAreaElement && target.form?.matches(".composer, .editor") ? target : null;

/** @param {HTMLElement} root @param {AbortSignal} signal ends it */
export function offerFormats(root, signal) {
  root.addEventListener("keydown", (event) => pressed(event), { signal });
  root.addEventListener("paste", (event) => pasted(event), { signal });
  for (const type of ["dragover", "drop"]) {
    root.addEventListener(type, (event) => dropped(/** @type {DragEvent} */ (event)), { signal });
  }
  root.addEventListener("focusin", ({ target }) => addBar(written(target)), { signal });
  addBar(written(root.querySelector("textarea:focus")));
  signal.addEventListener("abort", () => {
    for (const bar of root.querySelectorAll(".formats")) bar.remove();
  });
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  const text = written(event.target);
  if (!text || event.isComposing || event.altKey || !(event.ctrlKey || event.metaKey)) return;
  const pressed = event.shiftKey ? `Shift+${event.code}` : event.key;
  const act = FORMATS.find(([, , keys]) => keys === pressed)?.[3];
  if (!act) return;
  event.preventDefault();
  act(text);
}

/** @param {ClipboardEvent} event */
function pasted(event) {
  const text = written(event.target);
  if (refusesFiles(text, event.clipboardData)) event.preventDefault();
  const given = event.clipboardData?.getData("text/plain").trim() ?? "";
  if (!text || !selected(text).trim() || ADDRESS.test(selected(text)) || !ADDRESS.test(given)) return;
  event.preventDefault();
  link(text, given);
}

/** A file that is let go elsewhere would replace the page. @param {DragEvent} event */
function dropped(event) {
  const text = written(event.target);
  if (!text || !event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  if (event.type === "drop") refusesFiles(text, event.dataTransfer);
}

/** Say what becomes of pictures. @param {HTMLTextAreaElement | null} text @param {DataTransfer | null} given */
function refusesFiles(text, given) {
  // What is copied from a page has its words as well.
  const isFile = Boolean(given?.files.length && !given.getData("text/plain"));
  if (text?.form && isFile) say(text.form, t("composer.no_files"));
  return isFile;
}

/** @param {HTMLTextAreaElement | null} text */
function addBar(text) {
  const actions = text?.form?.querySelector(".actions");
  if (!text || !actions || text.form?.querySelector(".formats")) return;
  const bar = text.ownerDocument.createElement("div");
  bar.className = "formats";
  bar.role = "group";
  bar.ariaLabel = t("formats.title");
  for (const [label, name, keys, act] of FORMATS) {
    const button = text.ownerDocument.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = label || t(name);
    button.title = t(name);
    button.ariaLabel = t(name);
    const spoken = keys.replace(/Key|Digit/, "").replace(/Period/, ".");
    button.setAttribute("aria-keyshortcuts", `Control+${spoken.replace(/^./, (letter) => letter.toUpperCase())}`);
    // The text keeps the focus, and what is selected in it.
    button.addEventListener("pointerdown", (event) => event.preventDefault());
    button.addEventListener("click", () => act(text));
    bar.append(button);
  }
  actions.before(bar);
}
