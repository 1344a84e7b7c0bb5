// What others offer for the same task, each as its documentation shows it: on the text "go" from anybody, one frame to
// everybody. Usage: rivals.mjs NAME. Prints the port.
import { createServer } from "node:http";

const FRAME = "x".repeat(596);
const told = (port) => console.log(port);

const ways = {
  async ws() {
    const { WebSocketServer } = await import("ws");
    const server = createServer();
    const sockets = new WebSocketServer({ server, perMessageDeflate: false });
    sockets.on("connection", (socket) =>
      socket.on("message", (text) => {
        if (text.toString() === "go") for (const one of sockets.clients) one.send(FRAME);
      }),
    );
    server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => told(server.address().port));
  },
  async socketio() {
    const { Server } = await import("socket.io");
    const server = createServer();
    const sockets = new Server(server, { transports: ["websocket"] });
    // Its frame holds the event's name as well: 42["m","…"].
    sockets.on("connection", (socket) => socket.on("go", () => sockets.emit("m", FRAME.slice(9))));
    server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => told(server.address().port));
  },
  async bun() {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("", { status: 400 })),
      websocket: {
        open: (socket) => socket.subscribe("bench"),
        message: (_, text) => text === "go" && server.publish("bench", FRAME),
      },
    });
    told(server.port);
  },
};
await ways[process.argv[2]]();
