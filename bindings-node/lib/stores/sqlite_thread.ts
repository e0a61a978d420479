/** The queue before the thread that writes: what waits together is written together. */

import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { StoreError } from "../errors";
import { report } from "../report";
import type { Place } from "./sqlite_file";
import type { Answer, Job } from "./sqlite_worker";
import { PURGED_AT_ONCE } from "./sqlite_writer";
import type { Committed, Write } from "./store";

/** The code of the thread. A bundle does not hold it. */
export const WORKER = join(__dirname, "sqlite_worker.js");
/** At most so many writes are one transaction, so that other processes come by between. */
const WRITTEN_TOGETHER = 256;

interface Commit {
  readonly write: Write;
  readonly settle: (outcome: Committed) => void;
}

interface Purge {
  readonly now: number;
  readonly settle: (removed: number) => void;
  readonly fail: (error: StoreError) => void;
}

/** Begins with the first write, and keeps the process alive only while something is written. */
export class WriterThread {
  private worker: Worker | undefined;
  private readonly waiting: (Commit | Purge)[] = [];
  /** What the thread works on: commits, or one purge. */
  private sent: (Commit | Purge)[] = [];
  private idle: (() => void) | undefined;
  private closed = false;

  constructor(private readonly place: Place) {}

  commit(write: Write): Promise<Committed> {
    return new Promise((settle) => this.add({ write, settle }));
  }

  async purge(now: number): Promise<number> {
    for (let removed = 0; ; ) {
      const changed = await new Promise<number>((settle, fail) => this.add({ now, settle, fail }));
      removed += changed;
      if (changed < PURGED_AT_ONCE || this.closed) return removed;
    }
  }

  /** Waits for what was asked, and ends the thread. Nothing may be asked afterwards. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.sent.length > 0) await new Promise<void>((settle) => (this.idle = settle));
    const { worker } = this;
    if (worker === undefined) return;
    const ended = new Promise((settle) => worker.once("exit", settle));
    worker.ref();
    this.worker = undefined;
    worker.postMessage({ close: true } satisfies Job);
    await ended;
  }

  private add(job: Commit | Purge): void {
    this.waiting.push(job);
    if (this.sent.length === 0) this.next();
  }

  private next(): void {
    const first = this.waiting[0];
    if (first === undefined) {
      this.worker?.unref();
      this.idle?.();
      return;
    }
    this.worker ??= this.started();
    this.worker.ref();
    let count = 1;
    if ("write" in first) {
      while (count < Math.min(this.waiting.length, WRITTEN_TOGETHER) && "write" in this.waiting[count]!) count += 1;
    }
    this.sent = this.waiting.splice(0, count);
    this.worker.postMessage("write" in first ? { writes: this.sent.map((job) => copied((job as Commit).write)) } : { purge: first.now });
  }

  private started(): Worker {
    const { Worker } = require("node:worker_threads") as typeof import("node:worker_threads");
    // The options of the process (a debugger's, a loader's) are not for this thread. Node 22 calls its SQLite experimental,
    // and has said so when it was loaded to read.
    const execArgv = this.place.driver === "node:sqlite" ? ["--disable-warning=ExperimentalWarning"] : [];
    const worker = new Worker(WORKER, { workerData: this.place, execArgv });
    let cause: unknown;
    worker.on("message", (answer: Answer) => this.answered(answer));
    worker.on("error", (error) => (cause = error));
    worker.on("exit", () => {
      if (this.worker === worker) this.died(cause);
    });
    return worker;
  }

  private answered(answer: Answer): void {
    if ("report" in answer) {
      report(answer.report);
      return;
    }
    const done = this.sent;
    this.sent = [];
    done.forEach((job, index) => {
      if ("write" in job) {
        job.settle(("outcomes" in answer && answer.outcomes[index]) || "unknown");
      } else if ("removed" in answer) {
        job.settle(answer.removed);
      } else {
        job.fail(new StoreError(`${this.place.path} cannot be purged: ${"failure" in answer ? answer.failure : "no answer"}`));
      }
    });
    this.next();
  }

  /** What it worked on may be written or not. What it was not sent goes to the next thread. */
  private died(cause: unknown): void {
    this.worker = undefined;
    report(`the thread that writes to ${this.place.path} ended`, cause);
    const lost = this.sent;
    this.sent = [];
    for (const job of lost) {
      if ("write" in job) job.settle("unknown");
      else job.fail(new StoreError(`${this.place.path} cannot be purged: the thread that writes ended`));
    }
    this.next();
  }
}

/** What the thread is sent is copied, and of a view all that lies under it; so only what belongs to the write is sent. */
function copied({ key, expect, version, value, expiresAt, subject, client }: Write): Write {
  const bytes = value.byteLength === value.buffer.byteLength ? value : new Uint8Array(value);
  return { key, expect, version, value: bytes, expiresAt, subject, client };
}
