/** Looks at the body of a request of `node:http`, and leaves it there for whoever reads it next. */

import { MisuseError } from "./errors";
import type { NodeRequest } from "./node";
import { couldBeRpc } from "./rpc";

/** The largest JSON-RPC message that is read to see which tool it calls, in bytes; the official SDK's own limit. */
export const RPC_BYTES = 4 * 1024 * 1024;
/** So many bytes of a JSON text tell in which encoding it is (RFC 4627 §3). */
export const ENCODING_BYTES = 4;

/** The body is longer than any JSON-RPC message. */
export const TOO_LONG = Symbol("longer than any message");
/** The client went away before its request was whole. */
export const GONE = Symbol("the client is gone");

/** A body: as it came, or what a parser has made of it; undefined for none, or for one that is no JSON-RPC. */
export type Peeked = Uint8Array | string | object | undefined | typeof TOO_LONG | typeof GONE;

/** Returns the body of a request that nobody has read yet, or what is known of one that somebody has. */
export async function peek(request: NodeRequest, parsed: unknown): Promise<Peeked> {
  // INVARIANT: while the stream can be read, it is what the handler may read: a parser that has passed this request by may
  // have left a `body` that is not it.
  await new Promise<void>((settle) => process.nextTick(settle)); // what has arrived together is known together
  if (request.readableEnded) return request.readableDidRead ? remembered(request.rawBody ?? parsed) : undefined;
  if (request.destroyed) return GONE;
  return isOver(request) && request.readableLength === 0 ? undefined : readAndPutBack(request);
}

function remembered(body: unknown): Uint8Array | string | object | undefined | typeof TOO_LONG {
  if (body === undefined) throw new MisuseError("body", "something has read the body and left nothing in request.body: which tool is called cannot be known; parse it with express.json(), or not at all");
  if (typeof body === "string" || body instanceof Uint8Array) {
    if (!couldBeRpc(Buffer.from(body).subarray(0, 64))) return undefined;
    return Buffer.byteLength(body) > RPC_BYTES ? TOO_LONG : body;
  }
  return typeof body === "object" && body !== null ? body : undefined;
}

/** Whether all of the body has arrived, also in a request that a test has made up. */
function isOver(request: NodeRequest): boolean {
  return request.complete || (request as unknown as { _readableState?: { ended?: boolean } })._readableState?.ended === true;
}

function readAndPutBack(request: NodeRequest): Promise<Buffer | undefined | typeof TOO_LONG | typeof GONE> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let length = 0;
    let isRpc = false;
    const settle = (read: Buffer | undefined | typeof TOO_LONG | typeof GONE): void => {
      request.off("readable", readable).off("error", gone).off("close", gone);
      resolve(read);
    };
    const back = (): Buffer => {
      const body = Buffer.concat(parts);
      // The end of the stream is told a tick after its last byte was read: until then it can be put back.
      if (body.length > 0) request.unshift(body);
      return body;
    };
    const readable = (): void => {
      // Reading where nothing is left would tell the end.
      while (request.readableLength > 0) {
        const part = request.read() as Buffer;
        parts.push(part);
        length += part.length;
      }
      const over = isOver(request);
      if (!isRpc && (length >= ENCODING_BYTES || over)) {
        isRpc = couldBeRpc(Buffer.concat(parts));
        if (!isRpc) {
          back();
          return settle(undefined);
        }
      }
      if (isRpc && (length > RPC_BYTES || Number(request.headers["content-length"]) > RPC_BYTES)) return settle(TOO_LONG);
      if (over) settle(back());
    };
    const gone = (): void => settle(GONE);
    request.on("readable", readable).on("error", gone).on("close", gone);
  });
}
