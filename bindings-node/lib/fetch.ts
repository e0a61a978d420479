/**
 * The safe fetcher: it may be told to fetch any URL that a stranger names.
 *
 * A name is resolved once, every address is checked by the core's rule, and the connection goes to a checked address: no
 * second resolution happens, so a rebinding name gains nothing. No redirect is followed, no proxy of the environment is
 * used, no cookie or credential is sent that the core did not write, and the whole fetch has one deadline and one limit
 * on received bytes. Equal fetches at the same time are one.
 */

import type { Socket } from "node:net";
import type { Fetched, Fetcher } from "./drive";
import { FetchError, OverBudgetError } from "./errors";
import { connected, type Permitted, type Resolver } from "./fetch_connect";
import { type Authorities, encrypted, exchanged } from "./fetch_http";
import { type FetchRequest, addressPermitted } from "./native";

export type { Resolver } from "./fetch_connect";

export interface SafeFetcherOptions {
  /** Replaces the system's resolver. What it returns is checked all the same. */
  resolver?: Resolver;
  /** Replaces the trusted authorities (a private one, say). */
  tls?: { ca: Authorities };
  /** The rule; the core's. */
  permitted?: Permitted;
}

/** Fetches what the core asks for. */
export class SafeFetcher implements Fetcher {
  private readonly underWay = new Map<string, Promise<Fetched>>();
  private readonly options: SafeFetcherOptions;

  constructor(options: SafeFetcherOptions = {}) {
    this.options = options;
  }

  /**
   * Fetches, or rejects with FetchError.
   *
   * `admit` is asked once a fetch is really about to start: one that joins a fetch under way costs no budget.
   */
  async fetch(request: FetchRequest, admit: () => boolean = () => true): Promise<Fetched> {
    const key = identity(request);
    let fetched = this.underWay.get(key);
    if (fetched === undefined) {
      if (!admit()) throw new OverBudgetError();
      fetched = this.byDeadline(request).finally(() => this.underWay.delete(key));
      this.underWay.set(key, fetched);
    }
    return fetched;
  }

  private async byDeadline(request: FetchRequest): Promise<Fetched> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(new FetchError("timed out")), request.timeoutMs);
    const deadline = performance.now() + request.timeoutMs;
    let socket: Socket | undefined;
    try {
      const url = new URL(request.url);
      secured(url, request.addresses);
      socket = await connected(url, request.addresses, {
        resolver: this.options.resolver,
        permitted: this.options.permitted ?? addressPermitted,
        deadline,
        signal: abort.signal,
      });
      const channel = url.protocol === "https:" ? await encrypted(url, socket, this.options.tls?.ca) : socket;
      return await exchanged(request, url, channel, abort.signal);
    } catch (error) {
      throw explained(abort.signal.aborted ? abort.signal.reason : error);
    } finally {
      clearTimeout(timer);
      socket?.destroy();
    }
  }
}

/** All that makes two requests the same one. What they cost is no part of it. */
function identity({ method, url, headers, body, limitBytes, timeoutMs, addresses }: FetchRequest): string {
  const pairs = headers.map(({ name, value }) => [name, value]);
  return JSON.stringify([method, url, pairs, Buffer.from(body).toString("base64"), limitBytes, timeoutMs, addresses]);
}

function secured(url: URL, rule: string): void {
  if (url.protocol === "https:") return;
  if (url.protocol === "http:" && rule === "public_or_loopback") return;
  throw new FetchError(`${url.protocol} is not fetched`);
}

/** Gives every failure of the network a reason for the operator. */
function explained(error: unknown): unknown {
  if (error instanceof FetchError || !(error instanceof Error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  return new FetchError(`${code ?? error.name}: ${error.message}`.slice(0, 200), { cause: error });
}
