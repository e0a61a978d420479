/** CORS of guarded routes: browsers may call them with a token, and never with cookies. */

import { shown } from "./configuration";
import { ConfigurationError } from "./errors";
import type { Guarded } from "./lockstep";
import type { Answer } from "./messages";

/** How an MCP route is guarded. */
export interface ProtectOptions extends Omit<Guarded, "orApiKey" | "orSession"> {
  /** Browsers on these origins may call the route (CORS, never with cookies). Default `["*"]`; null leaves CORS to the app. */
  origins?: readonly string[] | null;
}

const ALLOWED_METHODS = "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS";
const ALLOWED_HEADERS = "Authorization, Content-Type, MCP-Protocol-Version, Mcp-Session-Id, Last-Event-ID, Mcp-Method, Mcp-Name";
const EXPOSED_HEADERS = "WWW-Authenticate, Mcp-Session-Id";

/** Which origins may call a route, and how they are told. */
export class Cors {
  readonly #origins: ReadonlySet<string>;

  constructor(origins: readonly string[] | null = ["*"]) {
    if (origins !== null && !Array.isArray(origins)) {
      const hint = typeof origins === "string" ? `; write [${shown(origins)}]` : "";
      throw new ConfigurationError("protect({ origins })", `a list of origins or null, not ${shown(origins)}${hint}`);
    }
    this.#origins = new Set(origins ?? []);
  }

  /** The origin that may read the answer, as it is told to the browser. */
  permitted(origin: string | null | undefined): string | undefined {
    if (origin === undefined || origin === null) return undefined;
    if (this.#origins.has("*")) return "*";
    return this.#origins.has(origin) ? origin : undefined;
  }

  /** What tells a browser that it may read an answer. */
  headers(permitted: string): [string, string][] {
    const pairs: [string, string][] = [
      ["Access-Control-Allow-Origin", permitted],
      ["Access-Control-Expose-Headers", EXPOSED_HEADERS],
    ];
    return permitted === "*" ? pairs : [...pairs, ["Vary", "Origin"]];
  }

  /** The core's answer, with this route's CORS headers instead of its own. */
  merged(answer: Answer, permitted: string | undefined): Answer {
    if (permitted === undefined) return answer;
    const ours = this.headers(permitted);
    const names = new Set(ours.map(([name]) => name.toLowerCase()));
    const kept = answer.headers.filter((_, at) => !names.has((answer.headers[at - (at % 2)] as string).toLowerCase()));
    return { ...answer, headers: [...kept, ...ours.flat()] };
  }

  /**
   * Answers a preflight. It carries no token, by design of CORS, so it is answered without one. Parameters of a tool may
   * travel as `Mcp-Param-*` headers whose names only the tools know: those asked for are allowed.
   */
  preflight(permitted: string, asked: string | null = ""): Answer {
    const extra = (asked ?? "").split(",").flatMap((name) => /^[ \t]*(mcp-param-[a-z0-9_-]+)[ \t]*$/i.exec(name)?.[1] ?? []);
    const headers = [
      ...this.headers(permitted),
      ["Access-Control-Allow-Methods", ALLOWED_METHODS],
      ["Access-Control-Allow-Headers", [ALLOWED_HEADERS, ...extra].join(", ")],
      ["Access-Control-Max-Age", "600"],
    ];
    return { status: 204, headers: headers.flat(), body: "" };
  }
}
