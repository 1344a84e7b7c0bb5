/** What the first view does not need, in one file: fetched while the browser is idle, or when it is first used. */

export { begin } from "./read/deferred.js";
