/**
 * The certified provider `oidc-provider`, with one client and whoever logs in.
 *
 * It says where it listens, is told where browsers go back to, and says that it is ready.
 */
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Provider } from "oidc-provider";

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  createInterface({ input: process.stdin }).once("line", (redirect) => {
    const provider = new Provider(issuer, {
      clients: [{ client_id: "livethread", client_secret: "a secret: of + them", redirect_uris: [redirect] }],
      claims: { openid: ["sub"], profile: ["name"] },
      cookies: { keys: ["of the tests"] },
      pkce: { required: () => true },
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: `Certified ${id}` }) }),
    });
    server.on("request", provider.callback());
    console.log("ready");
  });
  console.log(issuer);
});
