/** What is selected and focused inside a root, in a document and in a shadow root alike. */

/** @typedef {Document | ShadowRoot} Scope */

/** @param {Node} root @returns {Scope} */
export function scopeOf(root) {
  const scope = root.getRootNode();
  return scope instanceof ShadowRoot ? scope : /** @type {Document} */ (root.ownerDocument);
}

/** @param {Node} root @returns {Element | null} the element with the focus */
export function focused(root) {
  return scopeOf(root).activeElement;
}

/**
 * What is selected; outside of a shadow root browsers name only its host.
 * @param {Node} root @returns {Range | null} null: nothing
 */
export function selectedRange(root) {
  const scope = scopeOf(root);
  const known = /** @type {any} */ (scope);
  const selection = /** @type {any} */ (
    scope instanceof ShadowRoot && known.getSelection ? known : globalThis
  ).getSelection();
  if (!selection?.rangeCount) return null;
  const [composed] = (scope instanceof ShadowRoot && selection.getComposedRanges?.({ shadowRoots: [scope] })) || [];
  const { startContainer, startOffset, endContainer, endOffset } = composed ?? selection.getRangeAt(0);
  const range = root.ownerDocument?.createRange();
  range?.setStart(startContainer, startOffset);
  range?.setEnd(endContainer, endOffset);
  return range && !range.collapsed ? range : null;
}
