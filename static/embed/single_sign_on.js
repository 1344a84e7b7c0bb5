/** Logging in by what the page's own site states of its reader: a token in `sso`, or fetched from `sso-url`. */

const OVER = ["sso_expired", "token_used"];

/** @type {Map<string, Promise<boolean>>} several threads of a page bring the same token, which counts once */
const asked = new Map();

/**
 * Let the session be that of whom the page names.
 *
 * @param {typeof import("./session.js").session} session
 * @param {string} token @param {string} url where there is a fresh one
 * @param {() => void} expired is told before the fresh one is fetched
 * @returns {Promise<boolean>} false: the page names nobody; throws Refused
 */
export async function signOn(session, token, url, expired) {
  if (token) {
    try {
      return await once(token, () => by(session, token));
    } catch (error) {
      if (!isOver(error)) throw error;
      expired();
    }
  }
  if (!url) return true;
  return once(url, () => fetched(session, url)).finally(() => asked.delete(url));
}

/** @param {typeof import("./session.js").session} session @param {string} url */
async function fetched(session, url) {
  const answer = await fetch(new URL(url, document.baseURI), { credentials: "same-origin", cache: "no-store" });
  if (!answer.ok && answer.status !== 401) return true;
  const fresh = answer.ok ? (await answer.text()).trim() : "";
  return fresh !== "" && by(session, fresh);
}

/** @param {typeof import("./session.js").session} session @param {string} token */
async function by(session, token) {
  await session.signOn(token);
  return true;
}

/** @param {string} what @param {() => Promise<boolean>} ask */
function once(what, ask) {
  const answer = asked.get(what) ?? ask();
  asked.set(what, answer);
  answer.catch((error) => isOver(error) || asked.delete(what));
  return answer;
}

/** @param {unknown} error */
function isOver(error) {
  return OVER.includes(/** @type {any} */ (error).code);
}
