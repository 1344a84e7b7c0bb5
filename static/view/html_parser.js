/**
 * The server's HTML as nodes. The browser's own parser is not asked: a page may forbid every way into it (Trusted Types).
 *
 * Reads what the server's renderer and templates write: attributes in double quotes, and all elements closed but the void.
 */

const TOKEN = /<(\/?)([a-z][a-z0-9-]*)([^<>"]*(?:"[^"]*"[^<>"]*)*)>|[^<]+|</gi;
const ATTRIBUTE = /([a-z-]+)(?:="([^"]*)")?/gi;
const REFERENCE = /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(amp|lt|gt|quot|nbsp));/gi;
const NAMED = /** @type {Record<string, string>} */ ({ amp: "&", lt: "<", gt: ">", quot: '"', nbsp: "\u00a0" });
const VOID = /^(?:br|hr|img|input)$/;

/** @param {string} text */
function decoded(text) {
  return text.replace(REFERENCE, (whole, decimal, hex, name) => {
    if (name) return NAMED[name] ?? whole;
    const code = decimal ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/**
 * Append what the HTML says.
 * @param {string} html @param {Node} into
 * @param {(tag: string, attributes: [string, string][]) => Element | null} make null: it is left out, with its content
 */
export function build(html, into, make) {
  const document = /** @type {Document} */ (into.ownerDocument);
  /** @type {[string, Node | null][]} the elements that are open, the innermost last */
  const open = [["", into]];
  for (const [text, end, name, rest] of html.matchAll(TOKEN)) {
    const parent = open[open.length - 1][1];
    if (!name) {
      // As HTML has it, a line's end right after these is none.
      const isFirst = /^(?:PRE|TEXTAREA)$/.test(parent?.nodeName ?? "") && !parent?.firstChild;
      parent?.appendChild(document.createTextNode(decoded(isFirst ? text.replace(/^\n/, "") : text)));
      continue;
    }
    const tag = name.toLowerCase();
    if (end) {
      const place = open.findLastIndex(([one]) => one === tag);
      if (place > 0) open.length = place;
      continue;
    }
    const attributes = /** @type {[string, string][]} */ (
      [...rest.matchAll(ATTRIBUTE)].map(([, key, value = ""]) => [key, decoded(value)])
    );
    const made = parent && make(tag, attributes);
    if (made) parent.appendChild(made);
    if (!VOID.test(tag)) open.push([tag, made instanceof HTMLTemplateElement ? made.content : made]);
  }
}
