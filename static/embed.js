/** `/embed.js`, for pages of other sites: `<live-count>`, and `<live-thread>`, whose parts are loaded once there is one. */

const home = import.meta.url.split("/embed.js")[0];
// The server writes into this where its files are, and their names.
const [folder, style, ...files] = "FILES_OF_THE_THREAD".split(" ");
const AT_ONCE = 100;

// A code of a log-in leaves the address before anything else.
const code = /^#livethread-code=([\w.-]+)$/.exec(location.hash)?.[1] ?? "";
if (code) history.replaceState(history.state, "", location.pathname + location.search);

/** @type {Promise<typeof import("./embed/thread_element.js")> | undefined} */
let loading;

function load() {
  if (!loading) {
    const styling = fetch(home + folder + style);
    loading = Promise.all(files.map((file) => import(home + folder + file))).then(([first]) => {
      first.begin(code, sheet, styling);
      return first;
    });
  }
  return loading;
}

/** Of all threads. Their place is there from the start; the rest of their style follows. */
const sheet = new CSSStyleSheet();
sheet.replaceSync(":host(:not([hidden])),slot{display:block}slot{min-height:320px}");

class LiveThread extends HTMLElement {
  static observedAttributes = ["key", "url", "site", "sort", "sso", "sso-url", "lang"];
  /** @type {Promise<import("./embed/thread_element.js").Guest> | undefined} */
  #guest;

  connectedCallback() {
    if (!this.shadowRoot) {
      const shadow = this.attachShadow({ mode: "open" });
      shadow.adoptedStyleSheets = [sheet];
      // Until it is drawn, and where it cannot be: what the page has put inside, a link.
      shadow.append(document.createElement("slot"));
    }
    this.#tell((guest) => guest.connected());
  }

  disconnectedCallback() {
    this.#tell((guest) => guest.disconnected());
  }

  /** Moved as a whole (`moveBefore`): nothing was out. */
  connectedMoveCallback() {}

  /** @param {string} _ @param {string | null} before @param {string | null} now */
  attributeChangedCallback(_, before, now) {
    if (before !== now && this.#guest) this.#tell((guest) => guest.refresh());
  }

  login() {
    this.#tell((guest) => guest.login());
  }

  logout() {
    return this.#tell((guest) => guest.logout());
  }

  refresh() {
    return this.#tell((guest) => guest.refresh());
  }

  /** @param {(guest: import("./embed/thread_element.js").Guest) => unknown} what */
  #tell(what) {
    this.#guest ??= load().then(({ Guest }) => new Guest(this));
    return this.#guest.then(what).catch((error) => {
      this.dispatchEvent(new CustomEvent("livethread-error", { bubbles: true, composed: true, detail: { error } }));
    });
  }
}

/** @type {[Element, string][]} */
let waiting = [];

/** @param {Element} place @param {string | null} key @param {string | null} url */
function count(place, key, url) {
  // Without an answer the page keeps what it had there.
  if (!waiting.length) setTimeout(() => ask().catch(() => {}));
  waiting.push([place, key || new URL(url ?? location.href, document.baseURI).href.replace(/#.*/, "")]);
}

async function ask() {
  const [places, site] = [waiting, encodeURIComponent(location.origin)];
  waiting = [];
  const names = [...new Set(places.map(([, name]) => name))];
  for (let from = 0; from < names.length; from += AT_ONCE) {
    const keys = names.slice(from, from + AT_ONCE).map((one) => encodeURIComponent(encodeURIComponent(one)));
    const query = `?site=${site}&keys=${keys.join(",")}&lang=${document.documentElement.lang}`;
    const answer = await fetch(home.concat("/api/counts", query), { credentials: "omit" });
    const { counts = {}, labels } = answer.ok ? await answer.json() : {};
    for (const [place, name] of places) {
      if (name in counts) place.textContent = (place.matches("live-count") ? counts : labels)[name];
    }
  }
}

class LiveCount extends HTMLElement {
  connectedCallback() {
    count(this, this.getAttribute("key"), this.getAttribute("url"));
  }
}

if (!customElements.get("live-count")) {
  customElements.define("live-count", LiveCount);
  customElements.define("live-thread", LiveThread);
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (
    document.querySelectorAll("[data-livethread-count]")
  ))
    count(link, link.dataset.livethreadCount ?? "", link.href);
}
