/**
 * Branches far from the window are neither styled nor laid out. Only what was measured is skipped: at its own height, so
 * that nothing moves. A change or another width makes it unmeasured again.
 */

const MEASURED = "measured";

/** @param {import("./view.js").View} view @param {AbortSignal} signal ends it */
export function skipMeasured(view, signal) {
  const { list } = view;
  const idle = globalThis.requestIdleCallback ?? setTimeout;
  let width = list.clientWidth;
  let isDue = false;
  const measure = () => {
    isDue = false;
    if (signal.aborted) return;
    const roots = /** @type {HTMLElement[]} */ ([...list.children]).filter(
      (root) => !root.classList.contains(MEASURED),
    );
    // All is read before anything is written: of the content, since the size that stands for it has no padding.
    const heights = roots.map((root) => getComputedStyle(root).height);
    roots.forEach((root, place) => {
      root.style.setProperty("contain-intrinsic-block-size", `auto ${heights[place]}`);
      root.classList.add(MEASURED);
    });
  };
  const soon = () => {
    if (isDue) return;
    isDue = true;
    idle(measure);
  };
  const forget = () => {
    if (list.clientWidth === width) return;
    width = list.clientWidth;
    for (const root of list.children) root.classList.remove(MEASURED);
    soon();
  };
  const resized = new ResizeObserver(forget);
  resized.observe(list);
  view.addEventListener("settled", soon, { signal });
  signal.addEventListener("abort", () => {
    resized.disconnect();
    for (const root of list.children) root.classList.remove(MEASURED);
  });
  soon();
}
