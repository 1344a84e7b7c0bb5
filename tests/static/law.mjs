// Drives the real store.js for test_law.py: one JSON command a line in, one JSON answer a line out.
import { createInterface } from "node:readline";
import { Store } from "../../static/live/thread_store.js";

const stores = new Map();

const commands = {
  open({ name, snapshot }) {
    const { epoch, version, info, comments, next, cuts, sort, start } = snapshot;
    const store = new Store({ epoch, version, next: next ?? "", count: info.comments, sort, start });
    store.hydrate(comments, cuts);
    stores.set(name, store);
  },
  apply: ({ name, change }) => stores.get(name).apply(change).kind,
  touched: ({ name, change }) => [...stores.get(name).apply(change).touched],
  page: ({ name, page, cursor, root }) => stores.get(name).page(page, cursor, root ?? undefined).kind,
  reset: ({ name, snapshot }) => void stores.get(name).reset(snapshot),
  answer: ({ name, comment }) => void stores.get(name).answer(comment),
  state({ name }) {
    const store = stores.get(name);
    const drawn = [...store.drawn()].map(({ id, parent, state, html, author, replies, score, revision, edited }) => ({
      id,
      parent,
      state,
      html,
      author: author?.name ?? null,
      replies,
      score,
      revision,
      edited,
    }));
    const cuts = store.cuts.map(({ root, cursor }) => ({ root, cursor, hidden: store.hidden(root) }));
    return { version: store.version, next: store.next, count: store.count, behind: store.behind, cuts, drawn };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(commands[command](rest) ?? null)}\n`);
}
