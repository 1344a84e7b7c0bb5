/** All that waits until the thread is painted: writing, paging, the last visit, keys, other tabs, and resting when hidden. */

import { at } from "./live/addresses.js";
import { pollWhileBlocked } from "./live/polling.js";
import { speakNews } from "./read/announcements.js";
import { hearWhatIsRead } from "./read/bell.js";
import { shareWithTabs } from "./read/browser_tabs.js";
import { LastVisit } from "./read/catch_up.js";
import { Folds } from "./read/fold.js";
import { Keys } from "./read/keys.js";
import { followMerge } from "./read/merged_thread.js";
import { Further } from "./read/paging.js";
import { t } from "./texts.js";
import { tellHeld } from "./view/held_replies.js";
import { skipMeasured } from "./view/skipped_layout.js";
import { Writers } from "./view/typing.js";
import { firstInSight, keep } from "./view/viewport.js";
import { Actions } from "./write/comment_actions.js";
import { Composer } from "./write/composer.js";
import { keepOnlyOf } from "./write/draft_owners.js";
import * as drafts from "./write/drafts.js";
import { offerFormats } from "./write/formatting.js";
import { Menu } from "./write/menu.js";
import { publish } from "./write/posting.js";
import { offerPreviews } from "./write/preview.js";
import { say } from "./write/saying.js";

const HIDDEN_MS = 300_000;
const MOST_MOUNTED = 1_000;

/**
 * @typedef {import("./live_thread.js").Live} Live
 * @typedef {Live & {composer: Composer}} Page
 * @typedef {{further: Further, visit: LastVisit, leave: () => void, vote: (form: HTMLElement, value: number) => void,
 *   pressed: (link: HTMLElement, item: HTMLElement | null) => void}} Rest
 */

/** @param {Live} live @param {AbortSignal} signal ends it @returns {Rest} */
export function begin(live, signal) {
  const { root, store, view, thread, viewer, connection } = live;
  drafts.belongTo(live.attribute("account"));
  keepOnlyOf(live.attribute("account"));
  const composer = new Composer(root, {
    thread,
    viewer,
    post: (post) => publish(live, post),
    logIn: (back, form) => {
      live.place.keep(true);
      // On our own page the log-in can carry the text; elsewhere the page stays.
      if (form && live.host.isOwn) {
        drafts.letGo();
        form.submit();
      } else live.host.logIn(back);
    },
    typing: (parent) => connection.typing(parent),
    signal,
  });
  if (live.host.isOwn) addStyle();
  const page = Object.assign(live, { composer });
  new Folds(live, signal);
  const line = firstInSight(view.list);
  composer.reopen((id) => view.item(id));
  keep(line);
  if (live.place.isFromLogIn) composer.goOn();
  const answer = composer.answer.bind(composer);
  const further = new Further(live);
  const actions = new Actions(live, answer, signal);
  const menu = new Menu(
    live,
    {
      edit: (item) => actions.edit(item),
      remove: (link, item) => actions.remove(link, item),
      quote: (item) => actions.quoting.all(item),
      address: (id) => addressOf(live, id),
    },
    signal,
  );
  tellHeld(view, store, signal);
  tellWhoAnswers(page);
  tellWhoWrites(root, page);
  tellWhoIsOut(root, page);
  shareWithTabs(root, page, signal);
  restWhileHidden(connection, signal);
  goOnWithoutSockets(live, signal);
  hearWhatIsRead(live, signal);
  followMerge(page, signal);
  speakNews(live, signal);
  offerFormats(root, signal);
  offerPreviews(root, signal);
  skipMeasured(view, signal);
  const visit = new LastVisit(root, store, view, { thread, viewer });
  const more = (/** @type {HTMLElement} */ link) => further.more(link).catch(() => live.say(t("thread.more_failed")));
  new Keys(root, view, { visit, more, answer, isAccounts: live.host.isOwn && Boolean(viewer) }, signal);
  connection.addEventListener("message", (event) => {
    visit.hear(/** @type {CustomEvent} */ (event).detail);
  });
  visit.begin();
  findPlace(page, further);
  tellWhatIsGone(live);
  if (live.host.isOwn) document.addEventListener("click", (event) => leaveForLogIn(page, event), { signal });
  const leave = () => {
    composer.keepAll();
    visit.keep();
  };
  const pressed = (/** @type {HTMLElement} */ link, /** @type {HTMLElement | null} */ item) => {
    if (link.matches(".more, .more-replies")) more(link);
    else if (item && link.matches(".reply")) answer(item);
    else if (item && link.matches(".note")) view.showEdited(item);
    else if (item) menu.toggle(link, item);
  };
  return { further, visit, leave, pressed, vote: (form, value) => actions.vote(form, value) };
}

/** That the comment of the address is gone stands above the thread, which may be far from where one is led. @param {Live} live */
function tellWhatIsGone(live) {
  const notice = live.root.querySelector(".of-gone");
  if (notice && notice.getBoundingClientRect().bottom < 0) live.say(notice.textContent ?? "");
}

/** On a page of another site, a comment is there. @param {Live} live @param {string} id */
function addressOf({ host, thread }, id) {
  return host.page ? `${host.page.url}#livethread-c-${id}` : new URL(at(`/t/${thread}/c/${id}`), location.href).href;
}

/** On another site's page it is part of the style of the shadow root. */
function addStyle() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("after_paint.css", import.meta.url).href;
  document.head.append(link);
}

/** Where one was may be behind links. @param {Page} page @param {Further} further */
async function findPlace({ root, view, place }, further) {
  while (place.missing && view.size < MOST_MOUNTED) {
    const branch = root.querySelector(`.more-replies[data-root="${place.root}"]`);
    const link = /** @type {HTMLElement | null} */ (branch ?? root.querySelector(".more:not([hidden])"));
    if (!link) return;
    const settled = new Promise((done) => view.addEventListener("settled", done, { once: true }));
    try {
      await further.more(link);
    } catch {
      return;
    }
    await settled;
  }
  place.restore();
}

/** @param {Page} page @param {MouseEvent} event */
function leaveForLogIn({ place }, { target }) {
  if (target instanceof Element && target.closest("a[href*='/login?'], a[href*='/register?']")) place.keep(true);
}

/** Another text or state is a change to who answers it; its score and its counts are none. @param {Page} page */
function tellWhoAnswers({ connection, store, view }) {
  connection.addEventListener("message", (event) => {
    // What is drawn is as it was, until the next frame.
    for (const { id } of /** @type {CustomEvent} */ (event).detail.comments ?? []) {
      const [item, now] = [view.item(id), store.get(id)];
      if (!item || (item.dataset.state === now?.state && item.dataset.revision === String(now?.revision))) continue;
      const form = item.querySelector(":scope > ol > .answering form");
      if (form?.querySelector("textarea")?.value.trim()) say(form, t("composer.parent_changed"));
    }
  });
}

/** Until it is there: then nobody is writing it any more. @param {HTMLElement} root @param {Page} page */
function tellWhoWrites(root, { connection, view, viewer }) {
  const writers = new Writers(root, viewer, view.newest);
  connection.addEventListener("message", (event) => {
    const { type, parent, names, comments = [] } = /** @type {CustomEvent} */ (event).detail;
    if (type === "typing") writers.show(parent, names);
    // Several at once come in any order.
    else for (const comment of comments.toSorted(byId)) writers.drop(comment);
  });
}

/** The account's session has ended elsewhere, by itself or by a ban: one goes on reading, and what is written is kept. @param {HTMLElement} root @param {Page} page */
function tellWhoIsOut(root, page) {
  page.connection.addEventListener("message", (event) => {
    const { type, error } = /** @type {CustomEvent} */ (event).detail;
    if (type !== "refused" || error.status !== 401) return;
    page.composer.signOut();
    for (const form of [page.composer.blank, ...root.querySelectorAll("form.composer")]) {
      form.querySelector(".preview")?.remove();
    }
    page.host.loggedOut();
    page.say(error.code === "banned" ? t("live.draft_saved", { why: t("error.banned") }) : t("live.logged_out"), 0);
  });
}

const byId = (/** @type {{id: number}} */ one, /** @type {{id: number}} */ other) => one.id - other.id;

/** @param {Live} live @param {AbortSignal} signal */
function goOnWithoutSockets({ connection, thread, viewer, store, host }, signal) {
  const isHidden = () => document.visibilityState === "hidden";
  const options = { thread, viewer, position: () => store, isHidden, isBlocked: host.isBlocked };
  const poll = pollWhileBlocked(connection, options, signal);
  document.addEventListener("visibilitychange", () => isHidden() || poll(), { signal });
}

/** Nobody looks: after a while the socket is closed. Coming back opens it, and resumes. @param {Page["connection"]} connection @param {AbortSignal} signal */
function restWhileHidden(connection, signal) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let resting;
  const look = () => {
    clearTimeout(resting);
    if (document.visibilityState === "hidden") resting = setTimeout(() => connection.close(), HIDDEN_MS);
  };
  document.addEventListener("visibilitychange", look, { signal });
  signal.addEventListener("abort", () => clearTimeout(resting));
  look();
}
