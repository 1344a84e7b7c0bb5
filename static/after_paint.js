/** What the first view does not need, in one file: fetched while the browser is idle, or when it is first used. */

// Loaded already. Named here, the bundler puts all that the scripts share into one file, which is smaller than two.
import "./live_thread.js";

export { begin } from "./wire_after_paint.js";
