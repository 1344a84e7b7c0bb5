// Prints {patterns, grown} as JSON: the regular expressions of the files given, and those that are not linear.
import { readFileSync } from "node:fs";

const LONGEST = 65536;
const MEASURABLE_MS = 3;

// After what a value may follow; a slash after a value divides.
const LITERAL = /(?<=[(,=:[!&|?{};]\s*|return )\/(?![*/])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g;

/** @param {string} path */
function patternsOf(path) {
  const source = readFileSync(path, "utf8").replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");
  // One constant in full repeats nothing.
  if (/\bRegExp\((?!`\^\$\{[A-Z]+\}\$`\))/.test(source)) throw new Error(`${path}: a pattern that is made while running`);
  return source.match(LITERAL) ?? [];
}

function* texts(pattern) {
  const letters = [...new Set([...pattern.replace(/\\w/g, "a").replace(/\\s/g, " ").replace(/\\d/g, "1"), "a", " "])].slice(0, 12);
  for (const one of letters) {
    for (const other of letters) {
      for (const end of ["", "\0"]) yield (times) => (one + other).repeat(times / 2) + end;
    }
  }
}

function milliseconds(pattern, text) {
  const before = process.cpuUsage();
  text.replace(new RegExp(pattern.source, pattern.flags.replace("g", "") + "g"), "");
  pattern.test(text);
  pattern.lastIndex = 0;
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const patterns = process.argv.slice(2).flatMap(patternsOf);
const grown = patterns.filter((text) => {
  const end = text.lastIndexOf("/");
  const pattern = new RegExp(text.slice(1, end), text.slice(end + 1));
  for (const made of texts(text)) {
    for (let times = 16; times <= LONGEST; times *= 2) {
      if (milliseconds(pattern, made(times)) < MEASURABLE_MS) continue;
      const least = (at) => Math.min(...[1, 2, 3].map(() => milliseconds(pattern, made(at))));
      const whole = least(times);
      if (whole > MEASURABLE_MS && whole > 9 * least(times / 4)) return true;
    }
  }
  return false;
});
process.stdout.write(JSON.stringify({ patterns, grown }));
