/** The thread that writes to a SQLite file: it takes jobs, one at a time, and answers each. */

import { parentPort, workerData } from "node:worker_threads";
import { type Place, SQLiteFile } from "./sqlite_file";
import { Writer, reason } from "./sqlite_writer";
import type { Committed, Write } from "./store";

/** What the thread is asked to do. */
export type Job = { readonly writes: readonly Write[] } | { readonly purge: number } | { readonly close: true };

/** What it says: what became of a job, or what the operator should hear meanwhile. */
export type Answer =
  | { readonly outcomes: readonly Committed[] }
  | { readonly removed: number }
  | { readonly failure: string }
  | { readonly report: string };

if (parentPort !== null) {
  const port = parentPort;
  const say = (answer: Answer): void => port.postMessage(answer);
  const writer = new Writer(new SQLiteFile(workerData as Place), (message) => say({ report: message }));
  port.on("message", (job: Job) => {
    if ("writes" in job) {
      say({ outcomes: writer.commit(job.writes) });
    } else if ("purge" in job) {
      try {
        say({ removed: writer.purge(job.purge) });
      } catch (error) {
        say({ failure: reason(error) });
      }
    } else {
      writer.close();
      port.close();
    }
  });
}
