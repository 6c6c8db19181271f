// How a receiver is usually written: read the body, compare in constant time, forward over a keep-alive agent.
import { createHmac, timingSafeEqual } from "node:crypto";
import { Agent, createServer, request } from "node:http";

const key = "@SECRET@";
const agent = new Agent({ keepAlive: true, maxSockets: 256, maxFreeSockets: 256 });

function authentic(signature, body) {
  const given = Buffer.from(signature.replace(/^sha256=/, ""), "hex");
  const computed = createHmac("sha256", key).update(body).digest();
  return given.length === computed.length && timingSafeEqual(given, computed);
}

const server = createServer((webhook, reply) => {
  const chunks = [];
  webhook.on("data", (chunk) => chunks.push(chunk));
  webhook.on("end", () => {
    const body = Buffer.concat(chunks);
    if (!authentic(webhook.headers["x-hub-signature-256"] ?? "", body)) {
      reply.writeHead(401).end();
      return;
    }
    const { connection, ...headers } = webhook.headers;
    const attempt = request(
      { host: "127.0.0.1", port: @UPSTREAM@, method: webhook.method, path: webhook.url, headers, agent },
      (answer) => {
        reply.writeHead(answer.statusCode, {
          "content-type": answer.headers["content-type"],
          "content-length": answer.headers["content-length"],
        });
        answer.pipe(reply);
      },
    );
    attempt.on("error", () => reply.writeHead(502).end());
    attempt.end(body);
  });
});
server.keepAliveTimeout = 600_000;
server.listen({ port: @PORT@, host: "127.0.0.1", backlog: 4096 });
