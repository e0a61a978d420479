/** Connecting to checked addresses only. */

import type { Socket } from "node:net";
import { FetchError } from "./errors";

/** From a name and a port to numeric addresses. */
export type Resolver = (host: string, port: number) => readonly string[] | Promise<readonly string[]>;
/** Whether a rule lets a fetch connect to a numeric address. */
export type Permitted = (address: string, rule: string) => boolean;

export interface Means {
  readonly resolver: Resolver | undefined;
  readonly permitted: Permitted;
  /** When all must be over, by `performance.now()`. */
  readonly deadline: number;
  /** Aborted at the deadline. */
  readonly signal: AbortSignal;
}

const ADDRESSES_TRIED = 3;
/**
 * So many names may be on their way at a time. A stranger can name as many that never answer, and the system's resolver
 * knows no deadline. (Of the threads that it shares with the file system, libuv gives it half at most.)
 */
const RESOLVED_AT_ONCE = 16;

let resolving = 0;

/** Returns a socket that is connected to a permitted address of the URL's host. Rejects with FetchError or what failed. */
export async function connected(url: URL, rule: string, means: Means): Promise<Socket> {
  const { isIP } = require("node:net") as typeof import("node:net");
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const resolved = isIP(host) ? [host] : await resolution(host, port, means);
  const addresses = checked(host, rule, resolved, means.permitted);
  for (const [position, address] of addresses.entries()) {
    // Each gets a fair share of what is left, so that a dead one does not use up all of it.
    const share = (means.deadline - performance.now()) / (addresses.length - position);
    try {
      return await connection(address, port, rule, share, means);
    } catch (error) {
      if (position === addresses.length - 1 || means.signal.aborted || error instanceof FetchError) throw error;
    }
  }
  throw new FetchError("no address answered");
}

/** Keeps the addresses that may be connected to. They are the only ones that ever are. */
function checked(host: string, rule: string, resolved: readonly string[], permitted: Permitted): string[] {
  const distinct = [...new Set(resolved)];
  const kept = distinct.filter((address) => permitted(address, rule));
  if (kept.length === 0) {
    throw new FetchError(`${host} resolves to no permitted address (${distinct.slice(0, 4).join(", ") || "none"})`);
  }
  return kept.slice(0, ADDRESSES_TRIED);
}

/** Resolves a name once. Where that takes too long it is left behind, and goes on holding its place. */
async function resolution(host: string, port: number, means: Means): Promise<readonly string[]> {
  if (resolving >= RESOLVED_AT_ONCE) throw new FetchError("too many names are being resolved");
  const resolver = means.resolver ?? systems;
  resolving += 1;
  const answer = (async () => resolver(host, port))().finally(() => (resolving -= 1));
  return orAborted(answer, means.signal, "timed out while resolving");
}

async function systems(host: string): Promise<string[]> {
  const { lookup } = require("node:dns/promises") as typeof import("node:dns/promises");
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function orAborted<T>(answer: Promise<T>, signal: AbortSignal, message: string): Promise<T> {
  return new Promise((settle, fail) => {
    const aborted = (): void => fail(new FetchError(message));
    signal.addEventListener("abort", aborted);
    answer.then(settle, fail).finally(() => signal.removeEventListener("abort", aborted));
  });
}

function connection(address: string, port: number, rule: string, share: number, means: Means): Promise<Socket> {
  const { BlockList, connect, isIPv6 } = require("node:net") as typeof import("node:net");
  const family = (numeric: string) => (isIPv6(numeric) ? "ipv6" : "ipv4");
  return new Promise((settle, fail) => {
    // What was asked for, to compare with: an address can be written in more than one way. Throws unless it is one, so that
    // nothing is resolved again.
    const asked = new BlockList();
    asked.addAddress(address, family(address));
    const socket = connect({ host: address, port, signal: means.signal, autoSelectFamily: false });
    const timer = setTimeout(() => socket.destroy(new Error(`${address} did not answer in time`)), share);
    socket.on("error", fail);
    socket.once("close", () => clearTimeout(timer));
    socket.once("connect", () => {
      clearTimeout(timer);
      const remote = socket.remoteAddress;
      if (remote !== undefined && asked.check(remote, family(remote)) && means.permitted(remote, rule)) {
        settle(socket);
      } else {
        socket.destroy();
        fail(new FetchError(`connected to ${remote ?? "nobody"} instead of ${address}`));
      }
    });
  });
}
