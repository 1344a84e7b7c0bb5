import assert from "node:assert/strict";
import { test } from "node:test";
import { language, learn, speak, t } from "../../static/texts.js";

test("a text has its values, and numbers as the language writes them", () => {
  speak("de", { a: "{{name}}: {{most, number}} Zeichen, {{most}}" });
  assert.equal(t("a", { name: "<$&>", most: 10_000 }), "<$&>: 10.000 Zeichen, 10000");
});

test("a count takes the form of its language", () => {
  speak("pl", {
    day_one: "{{count}} dzień",
    day_few: "{{count}} dni",
    day_many: "{{count}} dni.",
    day_other: "{{count}} dnia",
  });
  assert.deepEqual(
    [1, 3, 5, 22].map((count) => t("day", { count })),
    ["1 dzień", "3 dni", "5 dni.", "22 dni"],
  );
});

test("a category without a form takes the form for other", () => {
  speak("ja", { day_other: "{{count}}日" });
  assert.equal(t("day", { count: 1 }), "1日");
});

test("what is learned later is said beside what was known, in its own language alone", () => {
  speak("en", { a: "A" });
  learn("en", { b: "B" });
  learn("fr", { a: "FR" });
  assert.deepEqual([t("a"), t("b"), language], ["A", "B", "en"]);
  speak("fr", {});
  assert.equal(t("a"), "FR");
});
