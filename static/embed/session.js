/**
 * The reader's session on this site: begun in a window of the server, and kept by a cookie of this page's partition, or
 * by a bearer where that cookie does not come back. No secret of a session is ever in an address.
 */

import { at, named } from "../live/addresses.js";
import { ask, speakAs } from "../live/api.js";
import { browser, tab } from "../live/browser_storage.js";
// Loaded already. Named here, the bundler puts all that the scripts share into one file.
import "../view/avatar.js";
import "../view/html_parser.js";
import "../view/selection.js";
import "../texts.js";
import { language } from "../texts.js";

const BEARER = "bearer";
const PAIR = "login";
const ANSWER_MS = 500;
const WINDOW = "popup,width=480,height=720";

/** @typedef {{verifier: string, challenge: string}} Pair */

/** Events: `changed`, when somebody has logged in or out, here or in another tab of this site. */
class Session extends EventTarget {
  /** @type {Pair | null} null: this page cannot make one, since it is not secure */
  #pair = null;
  #channel = new BroadcastChannel(named(PAIR));
  /** @type {(() => void) | undefined} */
  #taken;
  /** @type {Promise<void> | undefined} */
  ready;

  /** @param {string} code of a log-in, as the page's address had it; "" for none */
  begin(code) {
    speakAs(browser.read(BEARER) ?? "");
    addEventListener("message", (event) => this.#offered(event));
    this.#channel.onmessage = ({ data }) => this.#heard(data);
    this.ready = this.#prepare().then(() => this.#arrived(code));
  }

  /** Open the window; must be called by a press, at once. @returns {boolean} false: this page is left instead */
  open() {
    const { origin, pathname, search } = location;
    if (!this.#pair) return Boolean(window.open(at("/login")));
    const query = new URLSearchParams({
      site: origin,
      challenge: this.#pair.challenge,
      back: origin + pathname + search,
      lang: language,
    });
    const address = at(`/embed/login?${query}`);
    if (window.open(address, "livethread-login", WINDOW)) return true;
    location.assign(address);
    return false;
  }

  /** Log in by what the site has signed. @param {string} token */
  async signOn(token) {
    const { begun } = await ask("POST", "/api/session", { sso: token });
    if (!begun) return;
    speakAs("");
    const { account } = await ask("GET", "/api/session");
    const isShared = this.#keep(account ? "" : (await ask("POST", "/api/session", { begun })).token);
    if (isShared) this.#channel.postMessage({});
  }

  async end() {
    await ask("DELETE", "/api/session");
    this.#keep("");
    this.#tell();
  }

  async #prepare() {
    this.#pair = JSON.parse(tab.read(PAIR) ?? "null") ?? (await freshPair());
    if (this.#pair) tab.keep(PAIR, JSON.stringify(this.#pair));
  }

  /** A code came with the address: it is another tab's, or this one has left and returned. @param {string} given */
  async #arrived(given) {
    const [code, challenge] = given.split(".");
    if (!challenge) return;
    const isTaken = new Promise((done) => {
      this.#taken = () => done(true);
      setTimeout(() => done(false), ANSWER_MS);
    });
    this.#channel.postMessage({ code, challenge });
    if (await isTaken) window.close();
    else if (challenge === this.#pair?.challenge) await this.#claim(code);
  }

  /** @param {MessageEvent} event */
  #offered({ origin, data, source }) {
    if (origin !== new URL(at("/"), location.href).origin || data?.type !== "livethread-code") return;
    if (data.challenge !== this.#pair?.challenge) return;
    /** @type {Window} */ (source)?.postMessage({ type: "livethread-code-taken", challenge: data.challenge }, origin);
    this.#claim(data.code);
  }

  /** @param {{code?: string, challenge?: string, taken?: boolean}} data of another tab */
  #heard({ code, challenge, taken }) {
    if (taken) this.#taken?.();
    else if (!code) this.#changed();
    else if (challenge === this.#pair?.challenge) {
      this.#channel.postMessage({ taken: true });
      this.#claim(code);
    }
  }

  /** @param {string} code */
  async #claim(code) {
    const { verifier } = /** @type {Pair} */ (this.#pair);
    speakAs("");
    try {
      await ask("POST", "/api/session", { code, verifier });
      const { account } = await ask("GET", "/api/session");
      this.#keep(account ? "" : (await ask("POST", "/api/session", { code, verifier, token: true })).token);
    } finally {
      tab.drop(PAIR);
      await this.#prepare();
    }
    this.#tell();
  }

  /** @param {string} bearer @returns {boolean} whether other tabs have the session too */
  #keep(bearer) {
    speakAs(bearer);
    if (bearer) return browser.keep(BEARER, bearer);
    browser.drop(BEARER);
    return true;
  }

  #tell() {
    this.#channel.postMessage({});
    this.dispatchEvent(new Event("changed"));
  }

  #changed() {
    speakAs(browser.read(BEARER) ?? "");
    this.dispatchEvent(new Event("changed"));
  }
}

/** @returns {Promise<Pair | null>} */
async function freshPair() {
  if (!crypto.subtle) return null;
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(48)));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return { verifier, challenge: base64url(new Uint8Array(digest)) };
}

/** @param {Uint8Array} bytes */
function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace("=", "");
}

export const session = new Session();
