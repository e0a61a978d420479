/** One request and its answer, over a socket that is connected. */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Fetched } from "./drive";
import { FetchError } from "./errors";
import type { FetchRequest } from "./native";

export type Authorities = string | Uint8Array | readonly (string | Uint8Array)[];

/** What all headers together may have. */
const HEADER_BYTES = 16 * 1024;

/**
 * Encrypts a connection. The certificate must be for the URL's host, whatever address was connected to; nothing is sent
 * before that is known.
 */
export function encrypted(url: URL, socket: Socket, authorities: Authorities | undefined): Promise<Socket> {
  const { connect } = require("node:tls") as typeof import("node:tls");
  const { isIP } = require("node:net") as typeof import("node:net");
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return new Promise((settle, fail) => {
    const over = connect({
      socket,
      host,
      servername: isIP(host) ? "" : host,
      ALPNProtocols: ["http/1.1"],
      rejectUnauthorized: true, // said here, because the environment can say otherwise
      ...(authorities !== undefined && { ca: [authorities].flat().map((one) => Buffer.from(one as string)) }),
    });
    over.on("error", fail);
    over.once("close", () => fail(new FetchError("ended while the connection was being encrypted")));
    over.once("secureConnect", () => settle(over));
  });
}

/** Sends the request and reads the answer. Rejects with FetchError or what failed; the socket is the caller's. */
export function exchanged(request: FetchRequest, url: URL, socket: Socket, signal: AbortSignal): Promise<Fetched> {
  const http = require("node:http") as typeof import("node:http");
  return new Promise((settle, fail) => {
    // With a connection there is no agent: nothing is kept alive, and nobody else's proxy or options come in.
    const sent = http.request({
      method: request.method,
      path: url.pathname + url.search,
      createConnection: () => socket,
      setHost: false,
      maxHeaderSize: HEADER_BYTES,
      insecureHTTPParser: false,
      signal,
    });
    sent.setHeader("host", url.host);
    for (const { name, value } of request.headers) sent.appendHeader(name, value);
    sent.setHeader("accept-encoding", "identity");
    sent.setHeader("connection", "close");
    sent.setHeader("user-agent", "lockstep-oauth");
    let answered = false;
    sent.once("response", (response) => {
      answered = true;
      read(response, request.limitBytes).then(settle, fail);
    });
    sent.on("error", fail);
    sent.once("close", () => {
      if (!answered) fail(new FetchError("ended without an answer"));
    });
    sent.end(request.body.byteLength > 0 ? request.body : undefined);
  });
}

/** Counts the bytes that really arrive; what a header says about them is not asked. */
async function read(response: IncomingMessage, limit: number): Promise<Fetched> {
  const encoding = response.headers["content-encoding"]?.trim().toLowerCase() ?? "";
  if (encoding !== "" && encoding !== "identity") throw new FetchError("the body is encoded, although that was not accepted");
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    length += part.byteLength;
    if (length > limit) throw new FetchError(`larger than ${limit} bytes`);
    parts.push(part);
  }
  return { status: response.statusCode ?? 0, headers: response.rawHeaders, body: Buffer.concat(parts, length) };
}
