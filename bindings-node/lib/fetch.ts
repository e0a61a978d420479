import type { Fetched, Fetcher } from "./drive";
import { FetchError } from "./errors";
export class SafeFetcher implements Fetcher { async fetch(): Promise<Fetched> { throw new FetchError("no"); } }
