/**
 * On the account page: a picture that was chosen is made small before it is sent. It may be larger than the server takes,
 * and what it knows of place and camera never leaves the browser.
 */

/** Twice what is kept. */
const SIDE = 256;

const input = /** @type {HTMLInputElement} */ (document.querySelector("#picture"));
input.addEventListener("change", async () => {
  const [file] = input.files ?? [];
  const small = file && (await made(file).catch(() => null));
  // Another may have been chosen meanwhile. What cannot be read here is sent as it is: the server says what is wrong.
  if (!small || input.files?.[0] !== file) return;
  const list = new DataTransfer();
  list.items.add(new File([small], file.name, { type: small.type }));
  input.files = list.files;
});

/** @param {Blob} file @returns {Promise<Blob | null>} its middle; null where the browser lets no page read a canvas */
async function made(file) {
  const image = await createImageBitmap(file);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = "#123456";
  context.fillRect(0, 0, SIDE, SIDE);
  if (String(context.getImageData(1, 1, 1, 1).data) !== "18,52,86,255") return null;
  context.clearRect(0, 0, SIDE, SIDE);
  context.imageSmoothingQuality = "high";
  const side = Math.min(image.width, image.height);
  const [left, top] = [image.width - side, image.height - side];
  context.drawImage(image, left / 2, top / 2, side, side, 0, 0, SIDE, SIDE);
  return new Promise((done) => canvas.toBlob(done));
}
