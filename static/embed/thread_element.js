/**
 * `<live-thread>` on a page of another site: the server's own thread in a shadow root, by the same code as on its pages.
 *
 * What paints it is here; what makes it live, and logs in, is loaded once it is painted.
 */

import { at } from "../live/addresses.js";
import { read } from "../live/api.js";
import { tab } from "../live/browser_storage.js";
import { speak, t } from "../texts.js";
import { showBy } from "../view/avatar.js";
import { build } from "../view/html_parser.js";
import { focused } from "../view/selection.js";
import { arrive, hasArrived, open, opened } from "./opened_session.js";
import { make, show } from "./pictures.js";

const NEAR = "800px";
const LINK = /^#livethread-c-(\d{1,16})$/;
const PLACE = "login-place";
/** Of this tab: the reader has logged out, whomever the page names. */
const OUT = "logged-out";
const SIGNED = /^\s*<section [^>]* signed>/;
const EXPIRED_MS = 10_000;
const ROOT_PX = 16;
/** When all is styled. @type {Promise<void>} */
let styled;

/** @param {string} code of a log-in, as the page's address had it; "" for none @param {CSSStyleSheet} sheet @param {Promise<Response>} css */
export function begin(code, sheet, css) {
  arrive(code);
  // A rem is the host's: many make it ten pixels.
  const inPixels = (/** @type {string} */ _, /** @type {string} */ many) => `${Number(many) * ROOT_PX}px`;
  styled = css
    .then((answer) => answer.text())
    .then((text) => sheet.replaceSync(text.replace(/([\d.]{1,8})rem\b/g, inPixels)));
}

/** The page's policy allows no sockets; a browser may say so to the socket itself only after a while. */
let isBlocked = false;
addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => {
  isBlocked ||= effectiveDirective === "connect-src" && /^wss?\b/.test(blockedURI);
});

showBy(show);

/** One `<live-thread>`, in whatever state its page brings it. */
export class Guest {
  #element;
  #shadow;
  /** @type {import("../live_thread.js").Live | undefined} */
  #live;
  /** @type {AbortController | undefined} */
  #staying;
  #mounting = new AbortController();
  /** What of the thread is asked for, beside which it is. */
  #part = "";
  #isSeen = false;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
    this.#shadow = /** @type {ShadowRoot} */ (element.shadowRoot);
  }

  connected() {
    if (this.#staying) this.#live?.moved();
    else this.#enter();
  }

  /** What moves is out only for a moment. */
  disconnected() {
    queueMicrotask(() => {
      if (!this.#element.isConnected) this.#leave();
    });
  }

  login() {
    this.#logIn("");
  }

  async logout() {
    tab.keep(OUT, "1");
    await (await this.#session()).end();
    this.#send("logout");
  }

  /** Fetch and draw it again: another thread, or somebody else reads it. */
  async refresh() {
    if (this.#staying && this.#isSeen) await this.#mount();
  }

  #enter() {
    if (!this.#element.isConnected) return;
    this.#staying = new AbortController();
    const { signal } = this.#staying;
    addEventListener("hashchange", () => this.#goToLinked(), { signal });
    if (LINK.test(location.hash) || tab.read(PLACE) || this.#element.getAttribute("loading") === "eager") {
      this.#mount();
      return;
    }
    const observer = new IntersectionObserver((entries) => entries.some((one) => one.isIntersecting) && seen(), {
      rootMargin: `${NEAR} 0px`,
    });
    const seen = () => {
      observer.disconnect();
      if (!this.#isSeen) this.#mount();
    };
    observer.observe(this.#element);
    addEventListener("beforeprint", seen, { signal });
    signal.addEventListener("abort", () => observer.disconnect());
  }

  /** Somebody has logged in or out. */
  #changed() {
    this.#isNobodys = false;
    if (this.#live && focused(this.#live.root)?.matches("textarea") && !this.#isLoggingIn)
      this.#live.say(t("embed.changed_elsewhere"), 0);
    else this.refresh();
  }

  #isLoggingIn = false;
  #isListening = false;

  /** The session, to which this element listens while it is on the page. */
  async #session() {
    const loaded = await opened();
    if (!this.#isListening && this.#staying) {
      const { signal } = this.#staying;
      this.#isListening = true;
      loaded.addEventListener("changed", () => this.#changed(), { signal });
      signal.addEventListener("abort", () => {
        this.#isListening = false;
      });
    }
    return loaded;
  }

  #leave() {
    this.#staying?.abort();
    this.#staying = undefined;
    this.#mounting.abort();
    this.#live?.end();
    this.#live = undefined;
    this.#isSeen = false;
    this.#shadow.replaceChildren(this.#element.ownerDocument.createElement("slot"));
  }

  async #mount(comment = LINK.exec(location.hash)?.[1]) {
    this.#isSeen = true;
    this.#asked = comment ?? "";
    this.#mounting.abort();
    this.#mounting = new AbortController();
    const { signal } = this.#mounting;
    try {
      const [html] = await Promise.all([this.#read(comment, signal), styled]);
      if (signal.aborted) return;
      // The session is of somebody whom the page names no more.
      if (this.#isNobodys && SIGNED.test(html)) await (await this.#session()).end();
      else await this.#draw(html, comment, signal);
    } catch (error) {
      if (signal.aborted) return;
      // The link stays; what failed may be over in a moment.
      this.#send("error", { error });
      const { status = 0, retryAfter = 0 } = /** @type {any} */ (error);
      // What the server refuses it would refuse again, until something here changes.
      if (status >= 400 && status < 500 && ![401, 408, 425, 429].includes(status)) return;
      const pause = Math.max(5_000, retryAfter * 1_000) + Math.random() * 10_000;
      const again = setTimeout(() => this.#mount(), pause);
      signal.addEventListener("abort", () => clearTimeout(again));
    }
  }

  /** @param {string | undefined} comment @param {AbortSignal} signal */
  async #read(comment, signal) {
    if (hasArrived()) await this.#session();
    await this.#signOn();
    const path = `/t?${this.#query()}`;
    if (!comment) return read(`${path}${this.#part}`, signal);
    return read(`${path}&comment=${comment}`, signal).catch(() => read(path, signal));
  }

  /** Let the reader be whom the page says; once, since other tabs may say something else later. */
  async #signOn() {
    const [token, url] = ["sso", "sso-url"].map((name) => this.#element.getAttribute(name) ?? "");
    if (`${token} ${url}` === this.#signedOn) return;
    this.#signedOn = `${token} ${url}`;
    this.#isNobodys = !token && !url;
    if (this.#isNobodys) tab.drop(OUT);
    if (this.#isNobodys || tab.read(OUT)) return;
    try {
      const { signOn } = await import("./single_sign_on.js");
      const loaded = await this.#session();
      this.#isNobodys = !(await signOn(loaded, token, url, () => this.#expired()));
    } catch (error) {
      this.#signedOn = "";
      this.#send("error", { error });
    }
  }

  #signedOn = "";
  /** Whether the page says that nobody is logged in. */
  #isNobodys = false;
  #expiredAt = -EXPIRED_MS;

  /** Not at every answer: a site whose clock is wrong would bring another expired token at once. */
  #expired() {
    if (performance.now() - this.#expiredAt < EXPIRED_MS) return;
    this.#expiredAt = performance.now();
    this.#send("sso-expired");
  }

  #query() {
    const given = (/** @type {string} */ name) => this.#element.getAttribute(name) ?? "";
    const query = new URLSearchParams({ only: "fragment", url: this.#page });
    for (const name of ["key", "site", "sort"]) if (given(name)) query.set(name, given(name));
    // The page's own language is for who wants none of the server's.
    const spoken = /** @type {HTMLElement | null} */ (this.#element.closest("[lang]"))?.lang;
    if (spoken) query.set("lang", spoken);
    return query;
  }

  /** The address of the page under which this is. */
  get #page() {
    const given = this.#element.getAttribute("url");
    const link = /** @type {HTMLLinkElement | null} */ (document.querySelector("link[rel=canonical]"));
    const canonical = link && new URL(link.href, location.href).origin === location.origin ? link.href : "";
    return new URL(given || canonical || location.href, location.href).href.replace(/#.*/, "");
  }

  /** @param {string} html @param {string | undefined} comment @param {AbortSignal} signal */
  async #draw(html, comment, signal) {
    const { ownerDocument } = this.#element;
    this.#live?.end();
    this.#live = undefined;
    const place = ownerDocument.createElement("div");
    place.className = "guest";
    build(html, place, (tag, attributes) => make(ownerDocument, tag, attributes));
    const root = /** @type {HTMLElement} */ (place.querySelector(".thread"));
    place.lang = root.lang;
    if (this.#element.dir) root.dir = this.#element.dir;
    place.dir = root.dir;
    speak(root.lang, JSON.parse(root.getAttribute("words") ?? "{}"));
    place.className += /( light| dark)?$/.exec(root.className)?.[0];
    const viewer = root.getAttribute("viewer") ?? "";
    place.prepend(this.#header(viewer));
    place.addEventListener("click", (event) => this.#clicked(event));
    // Nothing leads away in the moment before it is live.
    place.addEventListener("submit", (event) => this.#live || event.preventDefault());
    // As high as before until the new is laid out.
    this.#shadow.replaceChildren(place);
    const title = this.#element.getAttribute("title") ?? document.title;
    this.#session().catch(() => {});
    const { Live } = await import("./live.js");
    if (signal.aborted) return;
    this.#live = new Live(root, {
      isOwn: false,
      logIn: (back) => this.#logIn(back),
      ring: (count) => this.#ring(count),
      loggedOut: () => this.#ring(-1),
      target: () => Number(LINK.exec(location.hash)?.[1] ?? 0),
      page: { url: this.#page, title },
      isBlocked: () => isBlocked,
    });
    this.#send("ready", { thread: this.#live.thread });
    this.#send("count", { count: this.#live.store.count });
    let heard = this.#live.store.version;
    this.#live.connection.addEventListener("message", (event) => {
      if (!this.#live) return;
      const { detail } = /** @type {CustomEvent} */ (event);
      this.#send("count", { count: this.#live.store.count });
      for (const { id, parent, state, author, arrived = 0 } of detail.comments ?? []) {
        if (state === "visible" && arrived > heard) this.#send("comment", { id, parent, name: author?.name ?? null });
      }
      heard = Math.max(heard, this.#live.store.version);
    });
    if (viewer) this.#send("login", { name: viewer });
    if (comment) this.#goToLinked();
    else this.#return();
  }

  /** Who reads, and the way in or out. @param {string} viewer */
  #header(viewer) {
    const header = this.#element.ownerDocument.createElement("p");
    header.className = "reader";
    const button = this.#element.ownerDocument.createElement("button");
    button.className = "quiet";
    button.type = "button";
    button.textContent = viewer ? t("action.log_out") : t("action.log_in");
    button.addEventListener("click", () => (viewer ? this.#logOut() : this.#logIn("")));
    if (viewer) {
      const name = this.#element.ownerDocument.createElement("bdi");
      name.textContent = viewer;
      const bell = this.#element.ownerDocument.createElement("a");
      bell.className = "bell";
      bell.href = at("/inbox");
      bell.textContent = `${t("site.replies")} `;
      const told = this.#element.ownerDocument.createElement("span");
      told.className = "told";
      bell.append(told);
      header.append(name, bell);
    }
    header.append(button);
    return header;
  }

  /** @param {number} count -1: the session has ended */
  #ring(count) {
    const told = this.#shadow.querySelector(".bell .told");
    if (told) told.textContent = count > 0 ? t("count.number", { count }) : "";
    if (count < 0) this.#shadow.querySelector(".reader")?.replaceWith(this.#header(""));
  }

  #logOut() {
    this.logout().catch(() => this.#live?.say(t("embed.still_logged_in"), 0));
  }

  /** @param {string} back where one wants to be afterwards, as a path of the server */
  #logIn(back) {
    this.#isLoggingIn = true;
    tab.keep(PLACE, JSON.stringify({ y: scrollY, reply: /[?&]reply=(\d+)/.exec(back)?.[1] ?? "" }));
    const isOut = tab.read(OUT);
    tab.drop(OUT);
    this.#signedOn = "";
    // The site can say again who reads.
    if (isOut && this.#element.hasAttribute("sso-url")) this.refresh();
    else {
      this.#session().catch(() => {});
      open().catch((error) => this.#send("error", { error }));
    }
  }

  /** After a log-in: to where one was, with the form open in which one wrote. */
  #return() {
    const place = JSON.parse(tab.read(PLACE) ?? "null");
    if (!place || !this.#live?.viewer) return;
    tab.drop(PLACE);
    this.#isLoggingIn = false;
    const go = () => scrollTo({ top: place.y, behavior: "instant" });
    go();
    const reply = place.reply && this.#shadow.querySelector(`#c-${place.reply} > article .reply`);
    if (!(reply instanceof HTMLElement)) return;
    // The focus scrolls to the form by its own measure.
    this.#shadow.addEventListener("focusin", () => requestAnimationFrame(go), { once: true });
    reply.click();
  }

  #goToLinked() {
    const [, id] = LINK.exec(location.hash) ?? [];
    if (!id) return;
    const { view, root } = this.#live ?? {};
    // Of one that is gone the server says what is left above it.
    const above = this.#asked === id ? view?.item(Number(root?.getAttribute("above"))) : undefined;
    const item = view?.item(Number(id)) ?? above;
    if (!item) {
      // Once: a comment that is not here is not looked for again.
      if (view && this.#asked !== id) this.#mount(id);
      else if (root?.hasAttribute("above")) this.#element.scrollIntoView();
      return;
    }
    for (const one of this.#shadow.querySelectorAll(".linked")) one.classList.remove("linked");
    item.classList.add("linked");
    view?.goTo(item);
  }

  /** The comment around which the page was asked for; "" for none. */
  #asked = "";

  /** Links of the thread to itself stay on this page. @param {MouseEvent} event */
  #clicked(event) {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const address = new URL(link.href);
    const thread = new URL(at(`/t/${this.#live?.thread}`), location.href);
    if (address.origin !== thread.origin || !address.pathname.startsWith(thread.pathname)) return;
    const rest = address.pathname.slice(thread.pathname.length);
    const [, id] = /^\/c\/(\d+)$/.exec(rest) ?? [];
    if (rest && !id) return;
    event.preventDefault();
    if (id) {
      if (location.hash === `#livethread-c-${id}`) this.#goToLinked();
      else location.hash = `livethread-c-${id}`;
      return;
    }
    const query = address.searchParams;
    const [sort, author] = [query.get("sort"), query.get("only")];
    this.#part = `${sort ? `&sort=${sort}` : ""}${author ? `&part=${author}` : ""}`;
    this.#mount("");
  }

  /** @param {string} what @param {object} [detail] */
  #send(what, detail = {}) {
    this.#element.dispatchEvent(new CustomEvent(`livethread-${what}`, { bubbles: true, composed: true, detail }));
  }
}
