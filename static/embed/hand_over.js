/**
 * Ends a log-in for a page of another site: hands the code to the page that waits for it.
 *
 * That page answers where it hears us. An opener may be cut off by a policy of either side without a sign, so without
 * an answer the code goes to the page by its address.
 */

const ANSWER_MS = 1500;

const place = /** @type {HTMLElement} */ (document.querySelector("[data-code]"));
const { code = "", origin = "", back = "", challenge = "" } = place.dataset;
const waiting = setTimeout(
  () => location.replace(`${back}#livethread-code=${code}.${challenge}`),
  window.opener ? ANSWER_MS : 0,
);

addEventListener("message", (event) => {
  if (event.origin !== origin || event.data?.type !== "livethread-code-taken" || event.data.challenge !== challenge)
    return;
  clearTimeout(waiting);
  window.close();
});
window.opener?.postMessage({ type: "livethread-code", code, challenge }, origin);

export {};
