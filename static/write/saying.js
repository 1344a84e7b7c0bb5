/** What is said of a text while it is written: in one place, below its field, which is described by it. */

/** @param {Element} form @param {string} text "" for nothing any more @param {boolean} [isWrong] the text itself, not what became of it */
export function say(form, text, isWrong = false) {
  const [place, field] = [form.querySelector(".says"), form.querySelector("textarea")];
  if (place) place.textContent = text;
  if (field) field.ariaInvalid = isWrong ? "true" : null;
}

/** Tell who hears the field of what is said below it. @param {HTMLTextAreaElement} field with an id */
export function describe(field) {
  const place = field.form?.querySelector(".says");
  if (!place) return;
  place.id = `says-${field.id}`;
  field.setAttribute("aria-describedby", place.id);
}
