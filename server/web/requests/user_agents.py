"""A readable browser name from a User-Agent, enough to recognise one's own sessions."""

from __future__ import annotations

from server.locales import Texts

# The first that is there: many name others as well.
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser/", "Samsung Internet"), ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"), ("CriOS/", "Chrome"), ("Chromium/", "Chromium"), ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("Windows", "Windows"), ("iPhone", "iOS"), ("iPad", "iPadOS"), ("Android", "Android"), ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


_ON, PROGRAM = " on ", "A program"


def in_words(agent: str) -> str:
    """Return "Firefox on Linux"; "A program" if it is not a browser, empty if nothing is given."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if not browser:
        return PROGRAM if agent else ""
    return f"{browser}{_ON}{system}" if system else browser


def said(browser: str, words: Texts) -> str:
    """Return what `in_words` returned in the words of a language."""
    name, is_on, system = browser.partition(_ON)
    if not browser:
        return words("mine.unknown_browser")
    return (
        words("mine.browser_on", browser=name, system=system)
        if is_on
        else browser.replace(PROGRAM, words("mine.program"))
    )
