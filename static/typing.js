/** Who else writes an answer to the same, for a while in the place of the hint. Loaded when somebody does. */

const SHOWN_MS = 5_000;

/** @type {WeakMap<HTMLElement, ReturnType<typeof setTimeout>>} */
const showing = new WeakMap();

/** @param {HTMLElement} root @param {{parent: number | null, names: string[]}} typing @param {string} viewer */
export function showTyping(root, { parent, names }, viewer) {
  const others = names.filter((name) => name !== viewer);
  const place = root.querySelector(`form.composer[data-parent="${parent ?? ""}"] .hint`);
  if (!(place instanceof HTMLElement) || !others.length) return;
  place.dataset.typing = others.length === 1 ? `${others[0]} is writing…` : `${others.length} people are writing…`;
  clearTimeout(showing.get(place));
  showing.set(
    place,
    setTimeout(() => delete place.dataset.typing, SHOWN_MS),
  );
}
