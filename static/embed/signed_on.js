/** Logging in by what the page's own site states of its reader: a token in `sso`, or fetched from `sso-url`. */

const OVER = ["sso_expired", "token_used"];

/** @type {Map<string, Promise<void>>} several threads of a page bring the same token, which counts once */
const using = new Map();

/**
 * Let the session be that of whom the page names; of nobody where it names nobody any more.
 *
 * @param {typeof import("./session.js").session} session
 * @param {string} token @param {string} url where there is a fresh one
 * @param {() => void} expired is told before the fresh one is fetched
 * @returns {Promise<void>} throws Refused
 */
export async function signOn(session, token, url, expired) {
  if (!token && !url) return leave(session);
  if (token) {
    try {
      return await once(session, token);
    } catch (error) {
      if (!OVER.includes(/** @type {any} */ (error).code)) throw error;
      expired();
    }
  }
  if (!url) return;
  const answer = await fetch(new URL(url, document.baseURI), { credentials: "same-origin", cache: "no-store" });
  const fresh = answer.ok ? (await answer.text()).trim() : "";
  if (fresh) await once(session, fresh);
  else if (answer.ok || answer.status === 401) await leave(session);
}

/** @param {typeof import("./session.js").session} session @param {string} token */
function once(session, token) {
  const done = using.get(token) ?? session.signOn(token);
  using.set(token, done);
  return done;
}

/** @param {typeof import("./session.js").session} session */
async function leave(session) {
  if (session.isSigned) await session.end();
}
