// Whether a request comes from somebody who has the secret.
//
// Stakeout signs every request twice; either signature is enough. The comparison takes the same time wherever the two
// differ.
import { createHmac, timingSafeEqual } from "node:crypto";

// How far webhook-timestamp may be from our clock: Standard Webhooks asks for five minutes.
const TOLERANCE_S = 300;

// The id of the event in `body` if one of `secrets` has signed it, otherwise undefined. It is read only from where the
// signature covers it: whoever repeats an old request may write what he likes elsewhere.
export function signedId(secrets, headers, body) {
  if (secrets.some((secret) => isStandard(secret, headers, body))) return headers["webhook-id"];
  if (secrets.some((secret) => isTrio(secret, headers, body))) return idIn(body);
  return undefined;
}

// Standard Webhooks: the base64 HMAC of "id.timestamp.body", one for each secret in use.
function isStandard(secret, headers, body) {
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (!id || !/^[0-9]{1,12}$/.test(timestamp)) return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_S) return false;
  const digest = createHmac("sha256", key(secret)).update(`${id}.${timestamp}.`).update(body).digest("base64");
  const given = (headers["webhook-signature"] ?? "").split(" ");
  return given.some((signature) => isEqual(signature, `v1,${digest}`));
}

// X-Trio-Signature: the hex HMAC of the body and of nothing else, with the whole secret as the key.
function isTrio(secret, headers, body) {
  const expected = createHmac("sha256", secret).update(body).digest("hex");
  return isEqual(headers["x-trio-signature"] ?? "", expected);
}

function isEqual(given, expected) {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

// Where the format `stakeout` has it; the other formats need the standard signature.
function idIn(body) {
  try {
    const id = JSON.parse(body).data.event_id;
    return typeof id === "string" ? id : undefined;
  } catch {
    return undefined;
  }
}

// What follows whsec_ is base64; any other secret is the key itself.
export function key(secret) {
  if (!secret.startsWith("whsec_")) return Buffer.from(secret);
  const encoded = secret.slice("whsec_".length);
  if (!/^[A-Za-z0-9+/]+=*$/.test(encoded)) throw new Error("what follows whsec_ in the secret is not base64");
  return Buffer.from(encoded, "base64");
}
