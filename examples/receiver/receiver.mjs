// A webhook receiver for Proofline in Node, without dependencies:
//   PROOFLINE_WEBHOOK_SECRET=whsec_… node receiver.mjs 8090
// and, as the receiver of a sandbox, with the secret of its own:
//   PROOFLINE_WEBHOOK_SECRET=whsec_… node receiver.mjs 8090 --test
// It checks the signature over the raw bytes, drops what is older than five
// minutes, and does each event once: events can come twice and in any order, so it
// keeps the highest sequence of each session.
import { createServer } from "node:http";
import { bodyOf, genuine, keysOf } from "./verify.mjs";

const keys = keysOf(process.env.PROOFLINE_WEBHOOK_SECRET);
const test = process.argv.includes("--test"); // takes test events, and no others

const latest = new Map(); // session → sequence; yours is a database
createServer(async (req, res) => {
  const answer = (code) => res.writeHead(code).end();
  try {
    const body = await bodyOf(req);
    if (body === null) return req.destroy();
    if (req.method !== "POST" || !genuine(keys, req.headers, body)) return answer(400);
    const { type, data } = JSON.parse(body);
    // Who has a test key chooses what test events say: a live receiver takes none.
    if (Boolean(data.test) !== test) return answer(400);
    if ((latest.get(data.session_id) ?? 0) >= data.sequence) return answer(204); // seen, or overtaken
    latest.set(data.session_id, data.sequence);
    console.log(`${data.test ? "test " : ""}${type} ${data.session_id} ${data.state} ${data.codes.join(",")}`);
    answer(204); // 2xx only once it is safely kept: anything else is sent again
  } catch {
    req.destroy(); // cut off, or no JSON
  }
}).listen(Number(process.argv[2] ?? 8090), "127.0.0.1", function () {
  console.log(`listening on ${this.address().port}`);
});
