/** What makes a thread live that is already painted: loaded after it. */

export { Live } from "../live_thread.js";
