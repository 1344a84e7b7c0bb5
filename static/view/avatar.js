/** Pictures of authors: the drawn one, and over it their own, so that the drawn one is seen where that does not come. */

/**
 * @typedef {(place: Element, drawn: string, own: string) => void} Show
 * `place`: of the drawn one; `drawn`, `own`: addresses, "" for no picture of one's own
 */

/** As images, which the server's own pages allow. @type {Show} */
let show = (place, drawn, own) => {
  if (place.getAttribute("src") !== drawn) place.setAttribute("src", drawn);
  const present = ownBeside(place);
  if (own === (present?.getAttribute("src") ?? "")) return;
  present?.remove();
  if (!own) return;
  const made = new Image(32, 32);
  Object.assign(made, { className: "picture", alt: "", loading: "lazy", decoding: "async", src: own });
  place.after(made);
};

/** @type {Show} */
export const showPicture = (place, drawn, own) => show(place, drawn, own);

/** Show them in another way: pages of other sites allow no images of ours. @param {Show} other */
export const showBy = (other) => {
  show = other;
};

/** @param {Element} place */
export const ownBeside = (place) => place.parentElement?.querySelector(":scope > .picture");
