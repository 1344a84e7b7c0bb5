/** Where comments are in the window, and that what is read stays there. Asks the layout, never what it was told before. */

const EDGE = 1;

/** @returns {number} */
const height = () => Math.max(innerHeight, document.documentElement.clientHeight);

/** @param {Element} element */
const box = (element) => element.getBoundingClientRect();

/** Of its whole branch: what is in one that is skipped must not be laid out to be asked. @param {Element} inside */
function rootPlace(inside) {
  const { top, bottom } = box(inside.closest(".comments > li") ?? inside);
  return bottom <= 0 ? "above" : top >= height() ? "below" : "in";
}

/** @param {Element} item @returns {"above" | "in" | "below"} the place of the comment itself, without its replies */
export function placeOf(item) {
  const root = rootPlace(item);
  if (root !== "in") return root;
  const { top, bottom } = box(item.firstElementChild ?? item);
  return bottom <= 0 ? "above" : top >= height() ? "below" : "in";
}

/** Say whether what is put there is out of sight below, and moves nothing that is seen. @param {Element} list @param {Element | null} before */
export function isBelow(list, before) {
  // In a folded branch nothing is laid out.
  if (!list.checkVisibility()) return true;
  const branch = list.closest(".comments > li");
  if (branch && rootPlace(branch) !== "in") return rootPlace(branch) === "below";
  return (before ? box(before).bottom : box(list).top) >= height();
}

/** @typedef {{item: Element, top: number}} Line a comment that is read, and how far it is from the top of the window */

/** @param {Element} list @param {number} [edge] what covers the top @returns {Line | null} the first comment in sight */
export function firstInSight(list, edge = EDGE) {
  /** @type {Element | null} */
  let found = null;
  for (let children = list.children; children.length; ) {
    // Siblings stand below each other: halving finds the first that ends in sight.
    let [low, end] = [0, children.length];
    while (low < end) {
      const middle = (low + end) >> 1;
      if (box(children[middle]).bottom > edge) end = middle;
      else low = middle + 1;
    }
    const child = children[low];
    if (!child) break;
    if (child.id) found = child;
    const article = child.firstElementChild;
    if (!article || box(article).bottom > edge) break;
    children = child.querySelector(":scope > ol")?.children ?? document.createElement("ol").children;
  }
  return found && { item: found, top: box(found).top };
}

/** Bring the line back to where it was. @param {Line | null} line */
export function keep(line) {
  const moved = line?.item.isConnected ? box(line.item).top - line.top : 0;
  if (moved) scrollBy({ top: moved, behavior: "instant" });
}

/** Say whether the browser itself keeps the line; Safari does not. @param {Element} list */
export function isAnchored(list) {
  if (!CSS.supports("overflow-anchor: auto")) return false;
  return [list, list.ownerDocument.documentElement].every(
    (one) => /** @type {any} */ (getComputedStyle(one)).overflowAnchor !== "none",
  );
}
