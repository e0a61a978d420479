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
export function peer(request: IncomingMessage): string {
  const address = request.socket.remoteAddress ?? "";
  return address.startsWith("::ffff:") ? address.slice(7) : address;
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
export function readBody(request: NodeRequest): Promise<Buffer | undefined> {
  if (Buffer.isBuffer(request.rawBody)) return Promise.resolve(request.rawBody.length > BODY_BYTES ? undefined : request.rawBody);
  if (Buffer.isBuffer(request.body)) return Promise.resolve(request.body.length > BODY_BYTES ? undefined : request.body);
  if (request.readableEnded || (request.body !== undefined && request.complete && request.readableLength === 0 && request.readableDidRead)) {
    throw new MisuseError("body", "something has read the body before; put auth.express() in front of body parsers such as express.json() and express.urlencoded()");
  }
  if (Number(request.headers["content-length"] ?? 0) > BODY_BYTES) return Promise.resolve(undefined);
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    request.on("data", (part: Buffer) => {
      length += part.length;
      if (length <= BODY_BYTES) parts.push(part);
      else resolve(undefined);
    });
    request.on("end", () => resolve(parts.length === 1 ? parts[0] : Buffer.concat(parts)));
    request.on("error", reject);
    request.on("close", () => reject(new ClientGone()));
  });
}

/** The client went away before its request was whole; there is nobody to answer. */
export class ClientGone extends Error {}

/** Sends an answer as it is. */
export function send(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, answer.headers);
  response.end(answer.body);
}
