/** Pictures of authors: an image of the server on its own pages; drawn, as the server draws it, where there are others. */

const SVG = "http://www.w3.org/2000/svg";
const NAME = /\/([^/]*?)-(\d{1,2})\.svg$/;

/** @param {Element} place an `img`, or an `svg` @param {string} address */
export function showAvatar(place, address) {
  if (!(place instanceof SVGElement)) {
    if (place.getAttribute("src") !== address) place.setAttribute("src", address);
  } else if (place.dataset.of !== address) drawAvatar(place, address);
}

/** @param {SVGElement} place @param {string} address */
export function drawAvatar(place, address) {
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
