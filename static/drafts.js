/** What was begun and not yet posted, kept in this browser per thread and parent, with the nonce it was tried under. */

/** @typedef {{body: string, nonce: string}} Draft */

/** @param {string} thread @param {number | null} parent */
const slot = (thread, parent) => `livethread:draft:${thread}:${parent ?? ""}`;

/** @returns {string} 22 characters, 128 random bits */
export function freshNonce() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .slice(0, 22);
}

/** @param {string} thread @param {number | null} parent @returns {Draft | null} */
export function read(thread, parent) {
  try {
    return JSON.parse(localStorage.getItem(slot(thread, parent)) ?? "null");
  } catch {
    return null;
  }
}

/**
 * Keep the text; the same text keeps its nonce, so that sending it again is no second comment.
 * @param {string} thread @param {number | null} parent @param {string} body @returns {Draft}
 */
export function keep(thread, parent, body) {
  const known = read(thread, parent);
  const draft = known?.body === body ? known : { body, nonce: freshNonce() };
  try {
    if (body.trim()) localStorage.setItem(slot(thread, parent), JSON.stringify(draft));
    else localStorage.removeItem(slot(thread, parent));
  } catch {
    // Storage may be full or forbidden: the text is still in the form.
  }
  return draft;
}

/** Forget the draft that was posted, unless another text stands there by now.
 * @param {string} thread @param {number | null} parent @param {string} nonce */
export function clear(thread, parent, nonce) {
  if (read(thread, parent)?.nonce === nonce) localStorage.removeItem(slot(thread, parent));
}
