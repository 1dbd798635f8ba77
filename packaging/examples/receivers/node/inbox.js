// Events that we have answered for, in a file: kept until they are worked off, and their ids for long after.
//
// The file is the queue: a line for each event, and one more when it is done. A request is answered when its line is on
// the disk, so neither a crash nor a power cut forgets an event or takes the next attempt of one for new. For one process,
// and for as many waiting events as fit into memory; where that is too little, use a database.
import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";

// Longer than Stakeout keeps what it could send again (`keep_dead`, 30 days).
const REMEMBERED_MS = 90 * 86400 * 1000;

// After so much the file is written anew, without what is done.
const TIDIED_AFTER = 64 * 1024 * 1024;

export class Inbox {
  #path;
  #file;
  #appended = 0;
  #events = new Map(); // id → { at, body }, without a body once it is done
  #queue = [];
  #written = Promise.resolve();
  #ring = () => {};

  static async open(path) {
    const inbox = new Inbox();
    inbox.#path = path;
    await inbox.#read();
    await inbox.#tidy();
    inbox.#queue = [...inbox.#events].filter(([, event]) => event.body !== undefined).map(([id]) => id);
    return inbox;
  }

  // Keeps an event; false where it is known already. On the disk when this returns.
  async put(id, body) {
    const isNew = !this.#events.has(id);
    if (isNew) {
      const event = { at: Date.now(), body };
      this.#events.set(id, event);
      this.#append({ id, ...event });
    }
    await this.#written;
    if (isNew) this.#wait(id);
    return isNew;
  }

  // Waits for the event that is to be worked on.
  async next() {
    while (this.#queue.length === 0) await new Promise((ring) => (this.#ring = ring));
    const id = this.#queue.shift();
    return { id, body: this.#events.get(id).body };
  }

  // The id stays, the body goes.
  async done(id) {
    delete this.#events.get(id).body;
    this.#append({ done: id });
    await this.#written;
  }

  // Tried again after 10 s, then after longer and longer, an hour at most; others go on meanwhile.
  failed(id) {
    const event = this.#events.get(id);
    event.failures = (event.failures ?? 0) + 1;
    setTimeout(() => this.#wait(id), Math.min(3600, 5 * 2 ** event.failures) * 1000);
  }

  #wait(id) {
    this.#queue.push(id);
    this.#ring();
  }

  // One after the other, each with a flush.
  #append(line) {
    this.#written = this.#written.then(() => this.#write(line)).catch((error) => {
      // Nothing can be promised any more. Whoever starts this process again makes `open` look at what is there.
      console.error(`${this.#path}: ${error.message}`);
      process.exit(1);
    });
  }

  async #write(line) {
    const text = JSON.stringify(line) + "\n";
    await this.#file.appendFile(text);
    await this.#file.datasync();
    this.#appended += text.length;
    if (this.#appended > TIDIED_AFTER) await this.#tidy();
  }

  async #read() {
    const text = await readFile(this.#path, "utf8").catch((error) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    for (const line of text.split("\n")) {
      // The last line may be half of one, which nobody was answered for.
      const { id, at, body, done } = parsed(line);
      if (id !== undefined) this.#events.set(id, { at, body });
      if (done !== undefined) delete this.#events.get(done)?.body;
    }
  }

  async #tidy() {
    for (const [id, event] of this.#events) {
      if (event.body === undefined && Date.now() - event.at > REMEMBERED_MS) this.#events.delete(id);
    }
    const aside = `${this.#path}.new`;
    const file = await open(aside, "w", 0o600);
    for (const [id, { at, body }] of this.#events) await file.appendFile(JSON.stringify({ id, at, body }) + "\n");
    await file.sync();
    await file.close();
    await rename(aside, this.#path);
    const folder = await open(dirname(this.#path));
    await folder.sync();
    await folder.close();
    await this.#file?.close();
    this.#file = await open(this.#path, "a");
    this.#appended = 0;
  }
}

function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}
