"""What a screen reader says of a page: what gets the focus, by role and name, and what live regions tell."""

from __future__ import annotations

from playwright.async_api import Page

# The role and the name are the browser's own: `Element.computedRole` and `computedName`, behind a flag in conftest.py.
_LISTEN = """() => {
  const lines = JSON.parse(sessionStorage.heard ?? "[]");
  const say = (line) => {
    if (lines.at(-1) === line) return;
    lines.push(line);
    sessionStorage.heard = JSON.stringify(lines);
  };
  const LIVE = "[role=status], [role=alert], [aria-live]";
  addEventListener("focusin", ({ target }) => say(`${target.computedRole}: ${target.computedName}`));
  new MutationObserver((changes) => {
    const elements = changes.map(({ target }) => (target instanceof Element ? target : target.parentElement));
    for (const region of new Set(elements.map((one) => one?.closest(LIVE)))) {
      const text = region?.textContent.trim();
      if (text && region.checkVisibility()) say(`(${region.role ?? "live"}) ${text}`);
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });
}"""


async def listen(page: Page) -> None:
    """From the next page on."""
    await page.add_init_script(f"({_LISTEN})()")


async def heard(page: Page) -> list[str]:
    """Return what was said, oldest first."""
    lines: list[str] = await page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {"
        "  done(JSON.parse(sessionStorage.heard ?? '[]')); })))"
    )
    return lines
