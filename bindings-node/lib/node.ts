/** Messages of `node:http`, which Express and Fastify hand out as well. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { MisuseError } from "./errors";
import { type Answer, BODY_BYTES } from "./messages";

/** A request of `node:http`, or a framework's on top of it. */
export interface NodeRequest extends IncomingMessage {
  /** Express: the target before routers took their part of it. */
  originalUrl?: string;
  /** What a parser made of the body. */
  body?: unknown;
  /** The body as it came, where a platform has read it. */
  rawBody?: unknown;
}

/** The path and the query of a request as the client sent them. */
export function target(request: NodeRequest): { path: string; query: string } {
  const url = request.originalUrl ?? request.url ?? "/";
  const mark = url.indexOf("?");
  return mark < 0 ? { path: url, query: "" } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}

/** The peer's address as the socket has it; never out of a header. */
export function peer({ socket }: IncomingMessage): string {
  return plainAddress(socket.remoteAddress) ?? "";
}

/** An IPv4 address that a socket for both versions has written as IPv6, as IPv4. */
export function plainAddress(address: string | undefined): string | undefined {
  return address?.startsWith("::ffff:") ? address.slice(7) : address;
}

/** The values of the `Authorization` headers, which are all that a check looks at. */
export function credentials(rawHeaders: readonly string[]): string[] {
  const found: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 13 && name.toLowerCase() === "authorization") found.push(rawHeaders[at + 1] as string);
  }
  return found;
}

/** Reads the whole body; undefined, and no more is read, once it is longer than any that an endpoint reads. */
export async function readBody(request: NodeRequest): Promise<Buffer | undefined> {
  for (const read of [request.rawBody, request.body]) {
    if (Buffer.isBuffer(read)) return read.length > BODY_BYTES ? undefined : read;
  }
  if (request.readableEnded) {
    if (!request.readableDidRead) return Buffer.alloc(0);
    throw new MisuseError("body", "something has read the body before; put auth.express() in front of body parsers such as express.json() and express.urlencoded()");
  }
  if (Number(request.headers["content-length"]) > BODY_BYTES) return undefined;
  if (request.destroyed) throw new ClientGone();
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    const settle = (): void => {
      request.off("data", data).off("end", end).off("error", gone).off("close", gone);
    };
    const data = (part: Buffer): void => {
      length += part.length;
      if (length <= BODY_BYTES) return void parts.push(part);
      settle();
      request.pause();
      resolve(undefined);
    };
    const end = (): void => {
      settle();
      resolve(parts.length === 1 ? parts[0] : Buffer.concat(parts));
    };
    const gone = (): void => {
      settle();
      reject(new ClientGone());
    };
    request.on("data", data).on("end", end).on("error", gone).on("close", gone);
  });
}

/** The client went away before its request was whole; there is nobody to answer. */
export class ClientGone extends Error {}

/** Sends an answer as it is. */
export function send(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, answer.headers);
  response.end(answer.body);
}
