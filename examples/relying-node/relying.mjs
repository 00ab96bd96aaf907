// A relying service in Node, without dependencies: it creates a session for an
// order, sends the person to the capture page, takes the signed webhook and fetches
// the decision. docs/tutorials/relying-service-node.md goes through it.
//
// Secrets come by the environment: PROOFLINE_API_KEY and PROOFLINE_WEBHOOK_SECRET.
import { createServer } from "node:http";
import { bodyOf, genuine, keysOf } from "../receiver/verify.mjs";

const keys = keysOf(process.env.PROOFLINE_WEBHOOK_SECRET);
const key = process.env.PROOFLINE_API_KEY;
if (!key) throw new Error("set PROOFLINE_API_KEY to a key with the scopes sessions:create and sessions:read");
const proofline = process.env.PROOFLINE_URL ?? "http://127.0.0.1:8780";
const test = key.startsWith("plk_test_"); // takes test events, and no others

/** What the shop keeps of an order: yours is a row in a database. */
const orders = new Map();

async function ask(path, options = {}) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json", ...options.headers };
  const answer = await fetch(proofline + path, { ...options, headers, signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`${options.method ?? "GET"} ${path.split("/").slice(0, 3).join("/")}: ${answer.status}`);
  return answer.json();
}

/** Creates the session. The order is the idempotency key: begun twice, it has one. */
async function begin(ref) {
  const made = await ask("/v1/sessions", { method: "POST", headers: { "idempotency-key": encodeURIComponent(ref) }, body: JSON.stringify({ external_ref: ref }) });
  if (!orders.has(ref)) orders.set(ref, { session: made.session.id, sequence: 0, turn: Promise.resolve() });
  return made.capture_url; // holds a token: to the person's browser, and into no log
}

/** Does an event once: what was seen, or overtaken, has no higher sequence. */
async function take({ type, data }) {
  const order = orders.get(data.external_ref);
  if (!order || order.session !== data.session_id || data.sequence <= order.sequence) return;
  if (type === "session.decided") {
    // The event says that there is something to know; the API says what.
    const { decision } = await ask(`/v1/sessions/${order.session}`);
    if (!decision) throw new Error(`session ${order.session} has no decision`);
    [order.outcome, order.codes] = [decision.outcome, decision.codes];
    console.log(`${order.session} ${order.outcome} ${order.codes.join(",")}`);
  }
  order.sequence = data.sequence;
}

/** Takes the events of an order one after another: a second one waits for the first's fetch. */
function takeInTurn(event) {
  const order = orders.get(event.data.external_ref);
  if (!order) return Promise.resolve();
  const done = order.turn.then(() => take(event));
  order.turn = done.catch(() => {});
  return done;
}

async function hook(req) {
  const body = await bodyOf(req);
  if (body === null || !genuine(keys, req.headers, body)) return 400;
  const event = JSON.parse(body);
  if (Boolean(event.data.test) !== test) return 400;
  await takeInTurn(event);
  return 204;
}

const [host, port] = (process.env.LISTEN ?? "127.0.0.1:8091").split(":");
createServer(async (req, res) => {
  const path = new URL(req.url, "http://localhost").pathname;
  const ref = path.startsWith("/orders/") ? decodeURIComponent(path.slice(8)) : "";
  try {
    if (req.method === "POST" && path === "/hooks/proofline") {
      res.writeHead(await hook(req)).end();
    } else if (req.method === "POST" && ref) {
      res.writeHead(303, { location: await begin(ref) }).end();
    } else if (req.method === "GET" && orders.has(ref)) {
      const { session, outcome, codes } = orders.get(ref);
      res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ session, outcome, codes }));
    } else {
      res.writeHead(404).end();
    }
  } catch (e) {
    console.error(`${req.method}: ${e.message}`); // no path: it names the order
    res.writeHead(503).end(); // anything but 2xx is sent again
  }
}).listen(Number(port), host);
