import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection } from "../../static/live/connection.js";

/** A socket whose other end is the test. */
class Wire {
  static all = [];
  readyState = 0;
  sent = [];

  constructor(url) {
    this.url = url;
    Wire.all.push(this);
  }

  open() {
    this.readyState = 1;
    this.onopen?.();
  }

  say(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  end(code) {
    this.readyState = 3;
    this.onclose?.({ code });
  }
}

function connect(context, random = () => 0.5, ticket = undefined) {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  Wire.all = [];
  const position = { epoch: "e", version: 7 };
  const connection = new Connection({
    url: "ws://x/live",
    thread: "t",
    position: () => position,
    Socket: Wire,
    random,
    ticket,
  });
  const states = [];
  connection.addEventListener("state", ({ detail }) => states.push(detail));
  connection.open();
  // In small steps: the clock of a long one stands at its end all the while.
  const tick = (ms) => {
    for (let left = ms; left > 0; left -= 250) context.mock.timers.tick(Math.min(left, 250));
  };
  return { connection, states, position, last: () => Wire.all.at(-1), tick };
}

test("it joins where the client stands, each time anew", (context) => {
  const { position, last, tick } = connect(context);
  last().open();
  assert.deepEqual(last().sent, [{ type: "join", thread: "t", epoch: "e", after: 7 }]);
  last().say({ type: "joined", thread: "t", epoch: "e", version: 9 });
  position.version = 9;
  last().end(1006);
  tick(250);
  last().open();
  assert.equal(last().sent[0].after, 9);
});

test("it signs in beside the join, which waits for no ticket", async (context) => {
  let give = (ticket) => ticket;
  const asked = new Promise((done) => {
    give = done;
  });
  const { last } = connect(context, undefined, () => asked);
  last().open();
  assert.deepEqual(
    last().sent.map(({ type }) => type),
    ["join"],
  );
  give("a-ticket");
  await asked;
  await Promise.resolve();
  assert.deepEqual(last().sent[1], { type: "hello", ticket: "a-ticket" });
});

test("it comes back after random pauses that double up to 20 s", (context) => {
  const { last, tick } = connect(context, () => 1);
  for (const pause of [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]) {
    const before = Wire.all.length;
    last().end(1006);
    tick(pause - 1);
    assert.equal(Wire.all.length, before);
    tick(1);
    assert.equal(Wire.all.length, before + 1);
  }
});

test("it waits as long as the server asked before a restart", (context) => {
  const { last, tick } = connect(context);
  last().open();
  last().say({ type: "retry", after_ms: 3000 });
  last().end(1012);
  tick(2999);
  assert.equal(Wire.all.length, 1);
  tick(1);
  assert.equal(Wire.all.length, 2);
});

for (const code of [1008, 1009, 4500, 4999]) {
  test(`it does not come back after ${code}`, (context) => {
    const { states, last, tick } = connect(context);
    last().open();
    last().end(code);
    tick(100_000);
    assert.equal(Wire.all.length, 1);
    assert.equal(states.at(-1), "ended");
  });
}

test("it says that the connection is lost only after 3 s", (context) => {
  const { states, last, tick } = connect(context, () => 0);
  last().open();
  last().say({ type: "joined", epoch: "e", version: 7 });
  assert.equal(states.at(-1), "live");
  last().end(1006);
  tick(2999);
  assert.ok(!states.includes("lost"));
  tick(1);
  assert.equal(states.at(-1), "lost");
});

test("a silent connection is asked, then doubted, and then dropped", (context) => {
  const { states, last, tick } = connect(context);
  last().open();
  last().say({ type: "joined", epoch: "e", version: 7 });
  tick(15_000);
  assert.deepEqual(last().sent.at(-1), { type: "ping" });
  last().say({ type: "pong" });
  tick(15_000);
  assert.equal(states.at(-1), "live");
  assert.equal(last().sent.filter(({ type }) => type === "ping").length, 2);
  tick(3_000);
  assert.equal(states.at(-1), "doubtful");
  tick(7_000);
  assert.equal(Wire.all.at(0).readyState, 3);
  tick(250);
  assert.equal(Wire.all.length, 2);
});

test("a sign of life ends the doubt", (context) => {
  const { states, last, tick } = connect(context);
  last().open();
  last().say({ type: "joined", epoch: "e", version: 7 });
  tick(19_000);
  assert.equal(states.at(-1), "doubtful");
  last().say({ type: "pong" });
  assert.equal(states.at(-1), "live");
});

test("after sleep it is doubtful at once, whatever the timers have missed", (context) => {
  const { connection, states, last, tick } = connect(context);
  last().open();
  last().say({ type: "joined", epoch: "e", version: 7 });
  context.mock.timers.setTime(3_600_000);
  tick(1_000);
  assert.equal(states.at(-1), "doubtful");
  assert.deepEqual(last().sent.at(-1), { type: "ping" });
  last().say({ type: "pong" });
  context.mock.timers.setTime(7_200_000);
  connection.wake();
  assert.equal(states.at(-1), "doubtful");
});

test("a connection that hangs while it is made is given up", (context) => {
  const { tick } = connect(context);
  tick(10_000);
  assert.equal(Wire.all.at(0).readyState, 3);
});

test("waking does not wait for the end of a pause", (context) => {
  const { connection, last } = connect(context);
  last().end(1006);
  connection.wake();
  assert.equal(Wire.all.length, 2);
});

test("a connection that was closed stays closed until it is opened", (context) => {
  const { connection, last, tick } = connect(context);
  last().open();
  connection.close();
  tick(100_000);
  assert.equal(Wire.all.length, 1);
  connection.open();
  assert.equal(Wire.all.length, 2);
});
