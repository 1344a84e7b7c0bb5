// What a thread tells of itself is of a version: an older answer may repeat comments, never the count or the lock.
import assert from "node:assert/strict";
import test from "node:test";
import { Store } from "../../static/live/thread_store.js";

const told = (version, comments, locked) => ({
  epoch: "e",
  after: version - 1,
  version,
  comments: [],
  info: { title: "", comments, locked },
});

const at = (version) => new Store({ epoch: "e", version, next: "9", count: 3, locked: true });

const shown = ({ count, locked, version }) => ({ count, locked, version });

for (const [version, expected] of [
  [9, { count: 3, locked: true, version: 10 }],
  [10, { count: 8, locked: false, version: 10 }],
  [11, { count: 8, locked: false, version: 11 }],
]) {
  test(`at 10, a change of ${version} leaves the count at ${expected.count}`, () => {
    const store = at(10);
    assert.equal(store.apply(told(version, 8, false)).kind, "applied");
    assert.deepEqual(shown(store), expected);
  });
}

for (const [version, kind, expected] of [
  [9, "stale", { count: 3, locked: true, version: 10 }],
  [10, "applied", { count: 8, locked: false, version: 10 }],
]) {
  test(`at 10, a page of ${version} is ${kind} and leaves the count at ${expected.count}`, () => {
    const store = at(10);
    assert.equal(store.page({ ...told(version, 8, false), next: null }, "9").kind, kind);
    assert.deepEqual(shown(store), expected);
  });
}
