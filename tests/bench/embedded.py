"""What a thread under somebody's article costs its reader, and the page around it: on a slow line."""

from __future__ import annotations

from playwright.sync_api import Browser

from tests.bench.figure import Figure
from tests.journeys.articles import Site
from tests.journeys.embedding import thread_under
from tests.processes import Server

# A round trip, and what comes in a second: 1.6 Mbit.
ROUND_TRIP_MS, BYTES_PER_SECOND = 100, 200_000
COMMENTS = 30
# The host's own style is what its first paint waits for, as on most pages.
STYLE = "<link rel='stylesheet' href='style.css'>"
WATCH = """(() => {
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  const look = () => {
    if (document.querySelector("live-thread")?.shadowRoot?.querySelector("li[data-id]")) {
      // What a frame has found is painted with it.
      requestAnimationFrame(() => { window.thread = performance.now(); });
    } else requestAnimationFrame(look);
  };
  look();
})();"""
LIVE = """() => window.thread
  && document.querySelector("live-thread").shadowRoot.querySelector(".connection[data-state=live]") && {
  host: performance.getEntriesByName("first-contentful-paint")[0].startTime, thread: window.thread, shift: window.shift
}"""


def under_an_article(app: Server, site: Site, browser: Browser) -> list[Figure]:
    (site.folder / "style.css").write_text(".host { margin: 0 }\n" * 500, encoding="utf-8")
    # As long as articles are: it ends where the window does.
    url = site.article("bench", head=STYLE, space=500)
    with app.commenter("Commenter") as client:
        for number in range(COMMENTS):
            said = {"body": f"Number {number} under an article.", "nonce": f"bench-{number:020d}"}
            client.post(f"/api/threads/{thread_under(app, url)}/comments", json=said)
    tab = browser.new_page()
    line = tab.context.new_cdp_session(tab)
    line.send("Network.enable")
    slow = {"offline": False, "latency": ROUND_TRIP_MS, "downloadThroughput": BYTES_PER_SECOND, "uploadThroughput": -1}
    line.send("Network.emulateNetworkConditions", slow)
    tab.add_init_script(WATCH)
    tab.goto(url)
    seen = tab.wait_for_function(LIVE).json_value()
    tab.close()
    budget = 1.2 * seen["host"] + ROUND_TRIP_MS
    return [
        Figure("first paint of an article, on a slow line", seen["host"], "ms"),
        Figure("first comment under it", seen["thread"], "ms", "budget", budget),
        Figure("layout shift of the article × 1000", seen["shift"] * 1000, "", "budget", 20),
    ]
