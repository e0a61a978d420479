/** Web-standard messages, as the core's are. */

import type { Answer } from "./messages";

/** The path and the query as the URL spells them. */
export function target(request: Request): { path: string; query: string } {
  const [, path = "/", query = ""] = /^[^:]+:\/\/[^/?#]*([^?#]*)(?:\?([^#]*))?/.exec(request.url) ?? [];
  return { path: path || "/", query };
}

/** An answer as a `Response`. The connection is the server's to speak of. */
export function respond({ status, headers, body }: Answer, head: boolean): Response {
  const all = new Headers();
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] as string;
    if (name !== "Connection") all.append(name, headers[at + 1] as string);
  }
  // An empty text would be of a type, and a redirect has none.
  return new Response(head || body.length === 0 ? null : (body as BodyInit), { status, headers: all });
}
