/** A page that the browser kept whole (its back-forward cache) is shown again only to whom it was made for. */

const NAME = "livethread-viewer=";

/** Who is logged in here, as a cookie tells that goes with the session; "" for nobody. @returns {string} */
const present = () =>
  document.cookie
    .split("; ")
    .find((one) => one.startsWith(NAME))
    ?.slice(NAME.length) ?? "";

/** What leaves is hidden before it is kept: nothing of it is painted before it is known who looks. The layout stays. */
export function guardRestored() {
  const made = present();
  const { style } = document.documentElement;
  addEventListener("pagehide", () => {
    if (made) style.visibility = "hidden";
  });
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted && present() !== made) location.reload();
    else style.visibility = "";
  });
}
