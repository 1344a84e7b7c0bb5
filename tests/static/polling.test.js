import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "../../static/live/addresses.js";
import { Connection } from "../../static/live/connection.js";
import { pollWhileBlocked } from "../../static/live/polling.js";

/** Sockets that are refused, until `isOpen`; the answers to requests are the test's. */
function begin(context, { viewer = "" } = {}) {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  const net = { isOpen: false, isHidden: false, asked: [], answer: () => null };
  globalThis.document = /** @type {any} */ ({ baseURI: "https://example.org/" });
  settle("https://example.org/");
  context.mock.method(globalThis, "fetch", async (/** @type {string} */ address) => {
    net.asked.push(String(address));
    const answer = net.answer();
    if (!answer) throw new TypeError("no network");
    return { ok: true, json: async () => answer };
  });
  context.mock.method(AbortSignal, "timeout", () => new AbortController().signal);
  class Blocked {
    readyState = 0;

    constructor() {
      setTimeout(() => {
        if (!net.isOpen) return this.onclose?.({ code: 1006 });
        this.readyState = 1;
        this.onopen?.();
        this.onmessage?.({ data: JSON.stringify({ type: "joined", thread: "t", epoch: "e", version: 7 }) });
      }, 10);
    }

    send() {}
    close() {}
  }
  const position = { epoch: "e", version: 7 };
  const connection = new Connection({
    url: "ws://x/live",
    thread: "t",
    position: () => position,
    Socket: /** @type {any} */ (Blocked),
    random: () => 0.5,
  });
  const states = [];
  const frames = [];
  connection.addEventListener("state", ({ detail }) => detail !== "connecting" && states.push(detail));
  connection.addEventListener("message", ({ detail }) => frames.push(detail));
  context.mock.method(Math, "random", () => 1);
  const ending = new AbortController();
  const shown = pollWhileBlocked(
    connection,
    { thread: "t", viewer, position: () => position, isHidden: () => net.isHidden },
    ending.signal,
  );
  connection.open();
  const pass = async (ms) => {
    for (let left = ms; left > 0; left -= 250) {
      context.mock.timers.tick(Math.min(left, 250));
      // An answer takes a few turns.
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    }
  };
  return { connection, net, states, frames, position, pass, shown, ending };
}

const unmoved = { thread: "t", epoch: "e", after: 7, version: 7, comments: [] };
const moved = { thread: "t", epoch: "e", after: 7, version: 8, comments: [{ id: 1 }] };

test("after three sockets in a row that led nowhere the changes are asked for, and it is late, not lost", async (context) => {
  const { net, states, frames, position, pass } = begin(context);
  net.answer = () => unmoved;
  await pass(1_700);
  assert.deepEqual(net.asked, []);
  await pass(3_000);
  assert.deepEqual(net.asked, ["/api/threads/t/changes?after=7&epoch=e"]);
  assert.equal(states.at(-1), "late");
  net.answer = () => moved;
  await pass(3_000);
  assert.deepEqual(frames, [{ type: "changes", ...moved }]);
  position.version = 8;
  net.answer = () => ({ reset: true, thread: "t", epoch: "f", version: 1 });
  await pass(2_000);
  assert.match(net.asked.at(-1), /after=8/);
  assert.equal(frames.at(-1).type, "reset");
  await pass(60_000);
  assert.equal(states.at(-1), "late");
});

test("it asks every two seconds while something comes, and every thirty while nothing does", async (context) => {
  const { net, pass } = begin(context);
  net.answer = () => moved;
  await pass(4_700);
  const asked = () => net.asked.splice(0).length;
  asked();
  await pass(20_000);
  assert.equal(asked(), 10);
  net.answer = () => unmoved;
  await pass(120_000);
  asked();
  await pass(120_000);
  assert.equal(asked(), 4);
});

test("a socket that leads to the thread ends it, and so does the page", async (context) => {
  const { net, states, pass, ending } = begin(context);
  net.answer = () => unmoved;
  await pass(10_000);
  net.isOpen = true;
  await pass(21_000);
  assert.equal(states.at(-1), "live");
  net.asked.length = 0;
  await pass(10_000);
  assert.deepEqual(net.asked, []);
  net.isOpen = false;
  ending.abort();
  await pass(60_000);
  assert.deepEqual(net.asked, []);
});

test("without any answer it is lost, and late again with the next one", async (context) => {
  const { net, states, pass } = begin(context);
  await pass(10_000);
  net.answer = () => unmoved;
  await pass(31_000);
  net.answer = () => null;
  await pass(31_000);
  assert.deepEqual(states, ["lost", "late", "lost"]);
});

test("what came meanwhile is brought before it is said that the connection is back", async (context) => {
  const { connection, net, pass } = begin(context);
  await pass(10_000);
  const order = [];
  connection.addEventListener("state", ({ detail }) => order.push(detail));
  connection.addEventListener("message", ({ detail }) => order.push(detail.type));
  net.answer = () => moved;
  await pass(31_000);
  const first = order.filter((what) => what === "late" || what === "changes").slice(0, 2);
  assert.deepEqual(first, ["changes", "late"]);
});

test("a hidden page asks nothing, and at once when it is shown", async (context) => {
  const { net, pass, shown } = begin(context);
  net.answer = () => unmoved;
  net.isHidden = true;
  await pass(60_000);
  assert.deepEqual(net.asked, []);
  net.isHidden = false;
  shown();
  await pass(250);
  assert.equal(net.asked.length, 1);
});

test("an account's bell is asked for with what came", async (context) => {
  const { net, frames, pass } = begin(context, { viewer: "Ana" });
  net.answer = () => moved;
  await pass(4_700);
  assert.deepEqual(
    frames.map(({ type }) => type),
    ["changes", "you"],
  );
});

test("a crowd whose sockets fell at once asks seldom", async (context) => {
  const { connection, net, pass } = begin(context);
  connection.bring({ type: "readers", thread: "t", count: 12_000 });
  net.answer = () => moved;
  await pass(18_000);
  assert.equal(net.asked.length, 1);
  await pass(24_000);
  assert.equal(net.asked.length, 3);
});
