/** The gallery's states that only the script makes: by the client's own modules, on a network and a storage that are made up. */

import { browser, tab } from "../live/browser_storage.js";
import { Live } from "../live_thread.js";
import { t } from "../texts.js";
import { pretend } from "./network.js";

/** @typedef {import("../live/thread_store.js").Comment} Comment */

const MOST = 10_000;
const MOST_FRAMES = 600;
const TYPING_AGAIN_MS = 4_000;
const AWAY_MS = 7_200_000;

/** What is brought about just now. */
class Stage {
  /** How the server answers what is written: with 0 never. */
  status = 201;
  state = "visible";

  /** @param {HTMLElement} exhibit */
  constructor(exhibit) {
    this.exhibit = exhibit;
    this.act = exhibit.dataset.act ?? "";
    this.root = /** @type {HTMLElement} */ (exhibit.querySelector(".thread"));
    const items = /** @type {NodeListOf<HTMLElement>} */ (this.root.querySelectorAll(".comments > li"));
    this.first = items[0];
    this.own = items[1];
    this.said = this.first.querySelector(".body")?.textContent ?? "";
    this.name = this.first.querySelector(".name")?.textContent ?? "";
  }

  begin() {
    this.live = new Live(this.root, {
      isOwn: false,
      logIn: () => {},
      ring: () => {},
      loggedOut: () => {},
      target: () => 0,
    });
  }

  /** @returns {Live} */
  get thread() {
    return /** @type {Live} */ (this.live);
  }

  /** Let a comment come, or another version of one. @param {Partial<Comment>} [given] @param {object} [info] */
  bring(given, info) {
    const { store, connection, thread } = this.thread;
    const version = store.version + 1;
    const id = (given?.id ?? 0) || 10 ** 9 + Number(this.first.dataset.id) * 100 + version;
    const author = { name: this.name, avatar: "/avatar/C-2.svg", badge: null };
    const whole = { revision: 1, parent: null, state: "visible", author, html: "", arrived: version, edited: null };
    const created = new Date().toISOString();
    const html = this.first.querySelector(".body")?.innerHTML;
    const comments = given ? [{ ...whole, id, version, created, score: 0, replies: 0, html, ...given }] : [];
    const told = { title: "", locked: false, comments: store.count + Number(!given?.id), ...info };
    connection.bring({
      type: "changes",
      thread,
      epoch: store.epoch,
      after: version - 1,
      version,
      comments,
      info: told,
    });
  }

  /** @param {string} text @param {Element} [within] */
  async write(text, within = this.root) {
    const field = await until(() => /** @type {HTMLTextAreaElement | null} */ (within.querySelector("form textarea")));
    field.focus();
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** @param {string} selector @param {Element} [within] */
  async press(selector, within = this.root) {
    (await until(() => /** @type {HTMLElement | null} */ (within.querySelector(selector)))).click();
  }

  /** @param {string} text @param {number} status */
  async post(text, status) {
    this.status = status;
    await this.write(text);
    await this.press(".composer .post");
  }

  /** @param {HTMLElement} item @param {string} [choice] */
  async menu(item, choice) {
    await this.press(":scope > article .menu", item);
    if (choice) await this.press(`.choices .${choice}`);
    else this.keepPlace(await until(() => this.root.querySelector(".choices:not([hidden])")));
  }

  /** What is fixed to the window goes along with its exhibit here. @param {HTMLElement} fixed */
  keepPlace(fixed) {
    const { left, top } = this.exhibit.getBoundingClientRect();
    fixed.style.left = `${Number.parseFloat(fixed.style.left) - left}px`;
    fixed.style.top = `${Number.parseFloat(fixed.style.top) - top - this.exhibit.clientTop}px`;
  }

  async edit() {
    await this.menu(this.own, "edit");
    await until(() => /** @type {HTMLTextAreaElement | null} */ (this.root.querySelector(".editor textarea"))?.value);
  }

  /** @param {string} state */
  connect(state) {
    this.thread.connection.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}

/** @type {Record<string, (stage: Stage) => unknown>} */
const acts = {
  "connection-live": () => {},
  "connection-late": ({ thread }) => {
    thread.connection.isLate = true;
  },
  "connection-doubtful": (stage) => stage.connect("doubtful"),
  "connection-lost": (stage) => stage.connect("lost"),
  "connection-ended": (stage) => stage.connect("ended"),
  "held-replies": (stage) => {
    for (let count = 0; count < 3; count++) stage.bring({ parent: Number(stage.first.dataset.id) });
  },
  arrived: async (stage) => {
    stage.bring({ parent: null });
    await frame();
    stage.thread.view.reveal();
  },
  "arrived-and-held": async (stage) => {
    await acts.arrived(stage);
    await until(() => stage.root.querySelector("li.unread"));
    stage.bring({ parent: Number(stage.first.dataset.id) });
  },
  says: ({ thread }) => thread.say(t("live.logged_out"), 0),
  leads: ({ thread, first }) => {
    const door = document.createElement("a");
    door.textContent = t("composer.show");
    door.href = `#${first.id}`;
    thread.say(t("composer.posted"), 0, door);
  },
  since: () => {},
  "since-only-new": (stage) => stage.press(".since button:not([hidden])"),
  "composer-open": (stage) => stage.write(""),
  "composer-text": (stage) => stage.write(stage.said),
  "composer-near": (stage) => stage.write("a ".repeat(MOST / 2 - 9)),
  "composer-over": (stage) => stage.post("a ".repeat(MOST / 2 + 50), 201),
  "composer-error": (stage) => stage.post(stage.said, 429),
  "composer-retry": (stage) => stage.post(stage.said, 503),
  "composer-preview": async (stage) => {
    await stage.write(stage.said);
    await stage.press(".composer .preview");
  },
  "composer-several": async (stage) => {
    await stage.write(stage.said);
    for (const item of [stage.first, stage.own]) await stage.press(":scope > article .reply", item);
    await stage.write(stage.said, stage.first);
  },
  "composer-names": (stage) => stage.write(`${stage.said} @C`),
  "composer-typing": async (stage) => {
    await stage.write("");
    const tell = () => stage.thread.connection.bring({ type: "typing", parent: null, names: [stage.name] });
    tell();
    setInterval(tell, TYPING_AGAIN_MS);
  },
  "composer-logged-out": (stage) => stage.write(stage.said),
  "composer-session-ended": async (stage) => {
    await stage.write(stage.said);
    stage.thread.connection.bring({ type: "refused", error: { status: 401, code: "" } });
  },
  "composer-parent-changed": async (stage) => {
    await stage.press(":scope > article .reply", stage.first);
    await stage.write(stage.said, stage.first);
    stage.bring({ id: Number(stage.first.dataset.id), revision: 2 });
  },
  "composer-locked": async (stage) => {
    await stage.write(stage.said);
    stage.bring(undefined, { locked: true });
  },
  "post-sending": (stage) => stage.post(stage.said, 0),
  "post-own": (stage) => stage.post(stage.said, 201),
  "post-held": (stage) => {
    stage.state = "pending";
    return stage.post(stage.said, 201);
  },
  "comment-outdated": (stage) => stage.bring({ id: Number(stage.first.dataset.id), revision: 2 }),
  "comment-gone": (stage) => {
    // Out of sight it would leave at once.
    stage.thread.view.observer.disconnect();
    stage.bring({ id: Number(stage.own.dataset.id), state: "deleted" });
  },
  folded: (stage) => stage.press(".fold"),
  "menu-own": (stage) => stage.menu(stage.own),
  "menu-other": (stage) => stage.menu(stage.first),
  "menu-moderator": (stage) => stage.menu(stage.first),
  "menu-delete": async (stage) => {
    await stage.menu(stage.own);
    await stage.press(".choices .delete");
  },
  quote: async (stage) => {
    const words = /** @type {Element} */ (stage.first.querySelector(".body p"));
    getSelection()?.selectAllChildren(words);
    stage.keepPlace(await until(() => stage.root.querySelector("button.quote:not([hidden])")));
  },
  editor: (stage) => stage.edit(),
  "editor-discard": async (stage) => {
    await stage.edit();
    await stage.write(stage.said, stage.own);
    await stage.press(".editor .quiet:not(.formats *)");
  },
  "editor-outdated": async (stage) => {
    stage.status = 409;
    await stage.edit();
    await stage.write(stage.said, stage.own);
    await stage.press(".editor .actions button:not(.quiet)");
  },
};

const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

/** @template T @param {() => T} look @returns {Promise<NonNullable<T>>} what it returns once it is something */
async function until(look) {
  for (let count = 0; count < MOST_FRAMES; count++) {
    const seen = look();
    if (seen) return seen;
    await frame();
  }
  throw new Error(`${stage?.act}: ${look}`);
}

/** @type {Stage | undefined} */
let stage;

/** What the server would answer. @param {string} method @param {string} path @param {any} sent @returns {[number, object] | null} null: nothing */
function answered(method, path, sent) {
  if (!stage) return [200, {}];
  const { first, own, said, name, status, exhibit } = stage;
  const { version, epoch } = stage.live?.store ?? { version: 0, epoch: "" };
  const refusal = { error: { message: exhibit.dataset.says } };
  const isSince = stage.act.startsWith("since");
  if (path.endsWith("/mine"))
    return [200, { visit: isSince ? { version: 0, epoch, at: new Date(Date.now() - AWAY_MS).toISOString() } : null }];
  if (path.endsWith("/changes") && isSince) {
    const comments = [first, own].map(({ dataset: { id } }) => ({ id: Number(id), state: "visible", arrived: 1 }));
    return [200, { notices: [], comments: comments.map((one) => ({ ...one, parent: null, author: { name } })) }];
  }
  if (path.endsWith("/names"))
    return [200, { names: [...new Set([...document.querySelectorAll(".name")].map(words))].slice(0, 9) }];
  if (path.endsWith("/preview")) return [200, { html: first.querySelector(".body")?.innerHTML }];
  if (method === "PATCH") return [status, { ...refusal, current: { revision: 2, body: said } }];
  if (path.endsWith("/comments")) {
    const id = 10 ** 9 + Number(own.dataset.id) * 100;
    const author = { name: stage.thread.viewer, avatar: "/avatar/A-5.svg", badge: null };
    const html = first.querySelector(".body")?.innerHTML;
    const comment = { id, version: version + 1, revision: 1, state: stage.state, author, html, score: 0, replies: 0 };
    const [created, arrived] = [new Date().toISOString(), version + 1];
    return status ? [status, { ...refusal, comment: { ...comment, ...sent, created, arrived } }] : null;
  }
  if (/\/comments\/\d+$/.test(path))
    return [200, { comment: { revision: 1 }, body: own.querySelector(".body")?.textContent }];
  return [200, { notices: [] }];
}

const words = (/** @type {Element} */ { textContent }) => textContent;
pretend(answered);
for (const one of [browser, tab])
  Object.assign(one, { read: () => null, keep: () => true, drop: () => {}, names: () => [] });
// Nobody reads here: what is new stays so. And a menu stays open while the next one opens.
document.hasFocus = () => false;
addEventListener("scroll", (event) => event.stopImmediatePropagation(), true);
const stays = (/** @type {Event} */ event) =>
  event.target instanceof Element && event.target.closest(".choices") && event.stopPropagation();
for (const type of ["focusout", "blur"]) addEventListener(type, stays, true);
globalThis.requestIdleCallback = (act) => setTimeout(act);

async function show() {
  const exhibits = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".exhibit"));
  // One at a time is in sight, where what comes is held; and the layout is that of one.
  for (const exhibit of exhibits) exhibit.hidden = true;
  for (const exhibit of exhibits) {
    if (!exhibit.dataset.act) continue;
    exhibit.hidden = false;
    exhibit.scrollIntoView();
    stage = new Stage(exhibit);
    stage.begin();
    await until(() => stage?.root.querySelector(".choices"));
    // It is live, and asks no more whether it is.
    stage.thread.connection.close();
    await acts[stage.act](stage);
    await frame();
    exhibit.hidden = true;
  }
  for (const exhibit of exhibits) exhibit.hidden = false;
  const target = document.getElementById(location.hash.slice(1));
  if (target) target.scrollIntoView();
  else scrollTo(0, 0);
  document.body.dataset.ready = "yes";
}

show();
