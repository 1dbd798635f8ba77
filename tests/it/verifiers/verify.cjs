// Verifies a request as a receiver would: with npm's `standardwebhooks`, and with Node's own crypto.
//
// Usage: verify.cjs REQUEST.json SECRET…, as verify.py. `standardwebhooks` is found by NODE_PATH.
const crypto = require("node:crypto");
const fs = require("node:fs");
const { Webhook } = require("standardwebhooks");

const [file, ...secrets] = process.argv.slice(2);
const { headers, body } = JSON.parse(fs.readFileSync(file, "utf-8"));

const failures = [];
for (const secret of secrets) {
  try {
    new Webhook(secret).verify(body, headers);
  } catch (error) {
    failures.push(`standardwebhooks: ${error.message}`);
  }
}

const expected = crypto.createHmac("sha256", secrets.at(-1)).update(body).digest();
const given = Buffer.from(headers["x-trio-signature"], "hex");
if (given.length !== expected.length || !crypto.timingSafeEqual(given, expected)) {
  failures.push("X-Trio-Signature: does not match");
}
if (failures.length) {
  console.error(failures.join("; "));
  process.exit(1);
}
console.log("verified");
