import assert from "node:assert/strict";
import { test } from "node:test";
import { at, liveUrl, named, settle } from "../../static/live/addresses.js";
import { browser, tab } from "../../static/live/browser_storage.js";

/** @param {string} baseURI */
const onPage = (baseURI) => {
  globalThis.document = /** @type {any} */ ({ baseURI });
};

test("on the server's own page addresses are paths, below the server's own path", () => {
  onPage("https://example.org/talk/t/x");
  settle("https://example.org/talk/");
  assert.equal(at("/t/x"), "/talk/t/x");
  assert.equal(liveUrl(), "wss://example.org/talk/live");
  settle("https://example.org/");
  assert.equal(at("/t/x"), "/t/x");
});

test("on another's page, and under another's base, addresses are whole", () => {
  onPage("https://blog.example/post");
  settle("https://example.org/talk");
  assert.equal(at("/t/x"), "https://example.org/talk/t/x");
  onPage("https://example.org.evil.example/");
  assert.equal(at("/t/x"), "https://example.org/talk/t/x");
  settle("http://example.org:8000");
  assert.equal(liveUrl(), "ws://example.org:8000/live");
});

test("names in the storage are those of one server", () => {
  settle("https://example.org/talk");
  const one = named("keys");
  settle("https://example.org/other");
  assert.notEqual(named("keys"), one);
});

test("a storage that is refused, full or not there keeps nothing and breaks nothing", () => {
  for (const given of [undefined, { getItem: fail, setItem: fail, removeItem: fail }]) {
    for (const name of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(globalThis, name, { configurable: true, get: given ? () => given : fail });
    }
    for (const storage of [browser, tab]) {
      assert.equal(storage.keep("a", "b"), false);
      assert.equal(storage.read("a"), null);
      assert.deepEqual(storage.names("a"), []);
      storage.drop("a");
    }
  }
});

function fail() {
  throw new Error("refused");
}
