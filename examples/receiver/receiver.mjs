// A webhook receiver for Proofline in Node, without dependencies:
//   PROOFLINE_WEBHOOK_SECRET=whsec_… node receiver.mjs 8090
// and, as the receiver of a sandbox, with the secret of its own:
//   PROOFLINE_WEBHOOK_SECRET=whsec_… node receiver.mjs 8090 --test
// It checks the signature (Standard Webhooks 1.0) over the raw bytes, drops what is
// older than five minutes, and does each event once: events can come twice and in
// any order, so it keeps the highest sequence of each session.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const keys = (process.env.PROOFLINE_WEBHOOK_SECRET ?? "").split(/\s+/).filter(Boolean)
  .map((s) => Buffer.from(s.replace(/^whsec_/, ""), "base64"));
if (keys.length === 0) throw new Error("set PROOFLINE_WEBHOOK_SECRET");

function genuine(headers, body) {
  const id = headers["webhook-id"], at = headers["webhook-timestamp"];
  if (!id || !/^\d+$/.test(at ?? "") || Math.abs(Date.now() / 1000 - Number(at)) > 300) return false;
  const sent = (headers["webhook-signature"] ?? "").split(" ").filter((s) => s.startsWith("v1,"))
    .map((s) => Buffer.from(s.slice(3), "base64"));
  return keys.some((key) => {
    const want = createHmac("sha256", key).update(`${id}.${at}.`).update(body).digest();
    return sent.some((s) => s.length === want.length && timingSafeEqual(s, want));
  });
}

const test = process.argv.includes("--test"); // takes test events, and no others

const latest = new Map(); // session → sequence; yours is a database
createServer((req, res) => {
  const parts = [];
  let size = 0;
  req.on("data", (d) => {
    if ((size += d.length) > 65536) return req.destroy();
    parts.push(d);
  });
  req.on("end", () => {
    const body = Buffer.concat(parts);
    const answer = (code) => res.writeHead(code).end();
    if (req.method !== "POST" || !genuine(req.headers, body)) return answer(400);
    const { type, data } = JSON.parse(body);
    // Who has a test key chooses what test events say: a live receiver takes none.
    if (Boolean(data.test) !== test) return answer(400);
    if ((latest.get(data.session_id) ?? 0) >= data.sequence) return answer(204); // seen, or overtaken
    latest.set(data.session_id, data.sequence);
    console.log(`${data.test ? "test " : ""}${type} ${data.session_id} ${data.state} ${data.codes.join(",")}`);
    answer(204); // 2xx only once it is safely kept: anything else is sent again
  });
}).listen(Number(process.argv[2] ?? 8090), "127.0.0.1", function () {
  console.log(`listening on ${this.address().port}`);
});
