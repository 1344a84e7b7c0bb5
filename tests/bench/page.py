"""What a thread's page costs a browser, beside its budgets: Chromium, where it says so on a slower processor."""

from __future__ import annotations

import gzip
import json
import statistics
import time
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.bench.embedded import under_an_article
from tests.bench.figure import Figure
from tests.journeys.articles import Site, neighbour
from tests.journeys.conftest import ARGUMENTS, chromium_path
from tests.processes import Server

SLOWER = 4
FEW, MANY, MOST = 67, 1_000, 10_000
PER_SECOND, SECONDS = 50, 5
PHONE = ViewportSize(width=390, height=844)
WATCH = """() => {
  window.shift = 0;
  window.frames_ms = [];
  window.painted = {};
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({ type: "layout-shift" });
  let last = performance.now();
  const frame = (now) => { frames_ms.push(now - last); last = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  new MutationObserver((all) => {
    for (const { dataset } of all.flatMap(({ addedNodes }) => [...addedNodes])) {
      if (dataset?.id) painted[dataset.id] = Date.now();
    }
  }).observe(document.querySelector("ol.comments"), { childList: true, subtree: true });
}"""
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 200))))"
NODES = """() => [...document.querySelectorAll("ol.comments li > article")]
  .map((one) => one.querySelectorAll(":not(.body *)").length + 2).sort((a, b) => a - b).at(-1)"""
LOADED = "button[aria-label='Previous unread']"


def page(folder: Path, _: int) -> list[Figure]:
    with (
        neighbour(folder) as address,
        Server(folder, LIVETHREAD_SITES=address) as app,
        sync_playwright() as playwright,
    ):
        site = Site(folder, address)
        site.server, site.live = app.origin, app.live_url
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        for key, count in (("few", FEW), ("many", MANY), ("most", MOST)):
            imported(app, folder, key, count)
        figures = [*bytes_of(app), *looks(app, browser), *long(app, browser), *lively(app, browser)]
        figures += under_an_article(app, site, browser)
        browser.close()
        return figures


def imported(app: Server, folder: Path, key: str, count: int) -> None:
    lines = [
        {"id": f"{key}{number}", "parent": f"{key}{number - number % 5}" if number % 5 else None,
         "author": f"G{number % 9}", "created": 1_700_000_000 + number,
         "body_md": f"Number {number} of a thread that people *quarrel* in."}
        for number in range(count)
    ]  # fmt: skip
    (folder / f"{key}.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    app.run("import", "jsonl", str(folder / f"{key}.jsonl"), "--thread", key)


def sent(url: str, coding: str) -> int:
    with httpx2.stream("GET", url, headers={"accept-encoding": coding}, trust_env=False) as answer:
        return len(b"".join(answer.iter_raw()))


def bytes_of(app: Server) -> list[Figure]:
    html = httpx2.get(f"{app.origin}/t/few", trust_env=False)
    names = sorted({part.split('"')[0] for part in html.text.split('"/static/')[1:]})
    eager = [f"{app.origin}/static/{name}" for name in names if name.endswith((".js", ".css"))]
    later = f"{eager[0].rsplit('/', 1)[0]}/after_paint.js"
    return [
        Figure("script and style, eager, brotli", sum(sent(url, "br") for url in eager), "bytes", "budget", 15 * 1024),
        Figure("script and style, eager, gzip", sum(sent(url, "gzip") for url in eager), "bytes", "budget", 18 * 1024),
        Figure("script, later, brotli", sent(later, "br"), "bytes", "budget", 30 * 1024),
        Figure(f"{FEW} comments as sent", sent(f"{app.origin}/t/few", "gzip"), "bytes", "budget", 12 * 1024),
        Figure(f"{FEW} comments, plain", len(html.content), "bytes", "gzip", len(gzip.compress(html.content))),
    ]


def looks(app: Server, browser: Browser) -> list[Figure]:
    phone = browser.new_page(viewport=PHONE)
    opened(phone, f"{app.origin}/t/few")
    top = phone.evaluate("document.querySelector('ol.comments article').getBoundingClientRect().top")
    nodes = phone.evaluate(NODES)
    phone.close()
    return [
        Figure("first comment on a phone", top, "px", "budget", 430),
        Figure("nodes of a comment", nodes, "nodes", "budget", 25),
    ]


def long(app: Server, browser: Browser) -> list[Figure]:
    tab = browser.new_page(viewport=PHONE)
    engine = slowed(tab)
    tab.goto(f"{app.origin}/t/most")
    paint = tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    opened(tab, f"{app.origin}/t/many")
    before = spent(engine)
    first = sum(before)
    while tab.locator(".more:visible").count():
        count = tab.locator("li[data-id]").count()
        tab.evaluate("document.querySelector('.more').click()")
        tab.wait_for_function("(count) => document.querySelectorAll('li[data-id]').length > count", arg=count)
        tab.evaluate(SETTLED)
    mounted = tab.locator("li[data-id]").count()
    layout = sum(spent(engine))
    tab.close()
    return [
        Figure(f"first paint of {MOST:,} comments, {SLOWER} × slower", paint, "ms", "budget", 1_000),
        Figure(f"style and layout of a first page, {SLOWER} × slower", first * 1000, "ms", "budget", 300),
        Figure(f"style and layout until {mounted:,} stand, {SLOWER} × slower", layout * 1000, "ms", "budget", 300),
    ]


def lively(app: Server, browser: Browser) -> list[Figure]:
    tab = browser.new_page(viewport=PHONE)
    engine = slowed(tab)
    opened(tab, f"{app.origin}/t/many")
    tab.evaluate("scrollTo(0, 3000)")
    tab.evaluate(SETTLED)
    tab.evaluate(WATCH)
    ids = [one["id"] for one in httpx2.get(f"{app.origin}/api/threads/many", trust_env=False).json()["comments"]]
    posted: dict[int, float] = {}
    began = time.monotonic()
    with app.commenter("Poster") as client:
        for number in range(PER_SECOND * SECONDS):
            time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
            parent = ids[number * 7 % len(ids)]
            at = time.time()
            answer = client.post("/api/threads/many/comments", json={
                "body": f"Arrival {number}.", "parent": parent, "nonce": f"bench-{number:020d}"})  # fmt: skip
            posted[answer.json()["comment"]["id"]] = at
    tab.evaluate(SETTLED)
    frames = sorted(tab.evaluate("frames_ms"))
    painted = {int(id_): at for id_, at in tab.evaluate("painted").items()}
    delays = sorted(painted[id_] - at * 1000 for id_, at in posted.items() if id_ in painted)
    shift = tab.evaluate("shift")
    engine.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    tab.close()
    late = frames[len(frames) * 95 // 100]
    return [
        Figure(f"layout shift of {len(posted)} arrivals × 1000", shift * 1000, "", "budget", 0),
        Figure(f"frame at {PER_SECOND} arrivals/s, p95, {SLOWER} × slower", late, "ms", "budget", 34),
        Figure(f"frame at {PER_SECOND} arrivals/s, median", statistics.median(frames), "ms"),
        Figure("post to paint, p95", delays[len(delays) * 95 // 100] if delays else 0, "ms", "budget", 250),
    ]


def slowed(tab: Page) -> Any:
    engine = tab.context.new_cdp_session(tab)
    engine.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    engine.send("Performance.enable")
    return engine


def spent(engine: Any) -> tuple[float, float]:
    """Return the seconds of style and of layout of the page so far."""
    metrics = {one["name"]: one["value"] for one in engine.send("Performance.getMetrics")["metrics"]}
    return metrics["RecalcStyleDuration"], metrics["LayoutDuration"]


def opened(tab: Page, url: str) -> None:
    tab.goto(url)
    tab.wait_for_selector(".connection[data-state=live]")
    tab.wait_for_selector(LOADED, state="attached")
