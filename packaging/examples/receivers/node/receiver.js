// A receiver of Stakeout's webhooks: verifies, keeps, answers, and works afterwards. See README.md.
//
//     STAKEOUT_SECRET_FILE=ops.secret PORT=8080 node receiver.js
import { readFileSync } from "node:fs";
import express from "express";
import { Inbox } from "./inbox.js";
import { key, signedId } from "./signature.js";

// An endpoint's `max_body` is 256 KiB where it isn't changed.
const MAX_BODY = 1024 * 1024;

// Replace this by what shall happen. An exception means: try again later.
async function work(id, event) {
  const data = event.data ?? event;
  console.log(JSON.stringify({ id, type: event.type, monitor: data.monitor, why: data.explanation }));
}

// One a line of STAKEOUT_SECRET_FILE (two while the secret is being changed), or STAKEOUT_SECRET.
function secrets() {
  const file = process.env.STAKEOUT_SECRET_FILE;
  const text = file ? readFileSync(file, "utf8") : (process.env.STAKEOUT_SECRET ?? "");
  const found = text.split(/\s+/).filter(Boolean);
  if (found.length === 0) throw new Error("no secret; name its file as STAKEOUT_SECRET_FILE");
  found.forEach(key);
  return found;
}

async function workOff(inbox) {
  for (;;) {
    const { id, body } = await inbox.next();
    try {
      await work(id, JSON.parse(body));
    } catch (error) {
      console.error(`${id}: not worked off, will be tried again:`, error);
      inbox.failed(id);
      continue;
    }
    await inbox.done(id);
  }
}

const known = secrets();
const inbox = await Inbox.open(process.env.STAKEOUT_INBOX ?? "inbox.jsonl");
const app = express();
app.disable("x-powered-by");

// What is signed are the bytes as they came: nothing may unpack or parse them first.
const raw = express.raw({ type: () => true, limit: MAX_BODY, inflate: false });

app.post("/events", raw, async (request, response) => {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const id = signedId(known, request.headers, body);
  if (id === undefined) return response.status(401).end();
  // The same answer for the first attempt and any later one: to Stakeout both mean that the event is here.
  await inbox.put(id, body.toString());
  response.status(204).end();
});

// What express refuses by itself, such as a body that is too large.
app.use((error, request, response, next) => {
  if (response.headersSent) return next(error);
  response.status(error.status ?? 500).end();
});

const server = app.listen(process.env.PORT ?? 8080, process.env.HOST ?? "0.0.0.0", (error) => {
  if (error) throw error;
  console.error(`listening on port ${server.address().port}`);
});
workOff(inbox);
