// Verifies webhooks (Standard Webhooks 1.0) without dependencies. See
// docs/tutorials/webhook-receiver.md, which goes through it.
import { createHmac, timingSafeEqual } from "node:crypto";

/** The keys of a setting: one secret, or two while it is being changed. */
export function keysOf(setting) {
  const keys = (setting ?? "").split(/\s+/).filter(Boolean).map((s) => Buffer.from(s.replace(/^whsec_/, ""), "base64"));
  if (keys.length === 0) throw new Error("set PROOFLINE_WEBHOOK_SECRET");
  return keys;
}

/** Whether one of the keys signed these raw bytes within the last five minutes. */
export function genuine(keys, headers, body) {
  const id = headers["webhook-id"], at = headers["webhook-timestamp"];
  if (!id || !/^\d+$/.test(at ?? "") || Math.abs(Date.now() / 1000 - Number(at)) > 300) return false;
  const sent = (headers["webhook-signature"] ?? "").split(" ").filter((s) => s.startsWith("v1,"))
    .map((s) => Buffer.from(s.slice(3), "base64"));
  return keys.some((key) => {
    const want = createHmac("sha256", key).update(`${id}.${at}.`).update(body).digest();
    return sent.some((s) => s.length === want.length && timingSafeEqual(s, want));
  });
}

/** The raw body of a request; null for one that is too large. */
export async function bodyOf(req) {
  const parts = [];
  let size = 0;
  for await (const part of req) {
    if ((size += part.length) > 65536) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}
