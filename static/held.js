/** Says beside each comment how many new replies to it wait; a press shows them. The pill counts them as well. */

/** @param {import("./view.js").View} view @param {import("./store.js").Store} store */
export function tellHeld(view, store) {
  /** @type {Map<HTMLElement, HTMLButtonElement>} */
  const shown = new Map();
  view.addEventListener("settled", () => {
    const waiting = store.sort === "flat" ? new Map() : byAncestor(view, store);
    for (const [item, button] of shown) {
      if (waiting.has(item)) continue;
      button.remove();
      shown.delete(item);
    }
    for (const [item, ids] of waiting) {
      const button = shown.get(item) ?? document.createElement("button");
      shown.set(item, button);
      button.type = "button";
      button.className = "quiet replies";
      button.textContent = ids.length === 1 ? "1 new reply" : `${ids.length} new replies`;
      button.onclick = () => {
        view.addEventListener("settled", () => view.goTo(view.item(ids[0])), { once: true });
        view.show(ids);
      };
      const footer = item.querySelector(":scope > article > footer");
      if (button.parentElement !== footer) footer?.append(button);
    }
  });
}

/**
 * What waits, by the nearest comment above it that is drawn.
 * @param {import("./view.js").View} view @param {import("./store.js").Store} store
 */
function byAncestor(view, store) {
  /** @type {Map<HTMLElement, number[]>} */
  const waiting = new Map();
  for (const id of [...view.held].sort((one, other) => one - other)) {
    const comment = store.get(id);
    let above = comment?.state === "visible" ? comment.parent : null;
    while (above && !view.item(above)) above = store.get(above)?.parent;
    const item = above ? view.item(above) : undefined;
    if (item) waiting.set(item, [...(waiting.get(item) ?? []), id]);
  }
  return waiting;
}
