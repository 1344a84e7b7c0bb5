/**
 * Pictures of authors on pages of other sites. A strict page allows no images of ours (`img-src`), but lets its scripts ask
 * us (`connect-src`): the drawn ones are drawn here as well, and people's own are fetched, and painted on a canvas.
 */

import { ownBeside } from "../view/avatar.js";

const SVG = "http://www.w3.org/2000/svg";
const NAME = /\/([^/]*?)-(\d{1,2})\.svg$/;
/** Pixels of the canvas: two for each of the page. */
const SIDE = 64;

/** @type {import("../view/avatar.js").Show} */
export function show(place, drawn, own) {
  if (/** @type {SVGElement} */ (place).dataset.of !== drawn) draw(/** @type {SVGElement} */ (place), drawn);
  const present = /** @type {HTMLElement | null | undefined} */ (ownBeside(place));
  if (own === (present?.dataset.of ?? "")) return;
  present?.remove();
  if (own) place.after(canvas(place.ownerDocument, own));
}

/** @param {Document} document @param {string} address of the one that the server would draw */
export function drawing(document, address) {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("class", "avatar");
  draw(made, address);
  return made;
}

/** @param {SVGElement} place @param {string} address */
function draw(place, address) {
  const [, letter = "", hue = "0"] = NAME.exec(decodeURIComponent(address)) ?? [];
  place.dataset.of = address;
  place.setAttribute("viewBox", "0 0 32 32");
  place.setAttribute("aria-hidden", "true");
  const fill = letter ? `hsl(${(Number(hue) % 12) * 30} 45% 36%)` : "#7d8793";
  const ground = shape("rect", { width: "32", height: "32", rx: "16", fill });
  const text = shape("text", { x: "16", y: "21.5", fill: "#fff", "font-size": "15", "font-weight": "600" });
  text.setAttribute("text-anchor", "middle");
  text.textContent = letter;
  const nobody = () => [
    shape("circle", { cx: "16", cy: "12.5", r: "5", fill: "#fff" }),
    shape("path", { d: "M6 27a10 9 0 0 1 20 0z", fill: "#fff" }),
  ];
  place.replaceChildren(ground, ...(letter ? [text] : nobody()));
}

/** @param {string} name @param {Record<string, string>} attributes */
function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Return what shows the picture once it is near. @param {Document} document @param {string} address */
export function canvas(document, address) {
  const made = document.createElement("canvas");
  made.width = made.height = SIDE;
  made.className = "picture";
  made.dataset.of = address;
  made.setAttribute("aria-hidden", "true");
  near.observe(made);
  return made;
}

const near = new IntersectionObserver(
  (seen) => {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      paint(/** @type {HTMLCanvasElement} */ (target));
    }
  },
  { rootMargin: "200px" },
);

/** @param {HTMLCanvasElement} place */
async function paint(place) {
  try {
    const answer = await fetch(String(place.dataset.of), { credentials: "omit" });
    if (!answer.ok) return;
    const size = /** @type {const} */ ({ resizeWidth: SIDE, resizeHeight: SIDE, resizeQuality: "high" });
    const image = await createImageBitmap(await answer.blob(), size);
    place.getContext("2d")?.drawImage(image, 0, 0);
    image.close();
  } catch {
    // The drawn one stays.
  }
}

/** @param {Document} document @param {string} tag @param {[string, string][]} attributes */
export function make(document, tag, attributes) {
  if (tag === "img") {
    const given = new Map(attributes);
    const made = given.get("class") === "picture" ? canvas : drawing;
    return made(document, given.get("src") ?? "");
  }
  const made = document.createElement(tag);
  for (const [name, value] of attributes) made.setAttribute(name, value);
  return made;
}
