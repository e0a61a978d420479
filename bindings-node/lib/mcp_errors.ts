/** The error that a token verifier must throw, so that the SDK's own gate answers 401 and not 500. */

import { LockstepError } from "./errors";

/** Where v2 of the SDK looks for the names of an error's classes: it asks for them, and not for one copy of the class. */
const BRANDS = Symbol.for("mcp.sdk.errorBrands");
const V1 = "@modelcontextprotocol/sdk/server/auth/errors.js";

type ErrorClass = new (message: string) => Error;

/** The error where v1 is not installed; in v2's shape. */
class InvalidTokenError extends LockstepError {
  readonly code = "invalid_token";

  /** The error response of RFC 6749, which both versions send as the body. */
  toResponseObject(): { error: string; error_description: string } {
    return { error: this.code, error_description: this.message };
  }
}

let loading: Promise<ErrorClass> | undefined;

/** The error for a token that does not fit: v1's own where v1 is installed, and v2's by its brand. */
export async function invalidToken(message: string): Promise<Error> {
  loading ??= firstVersion();
  const error = new (await loading)(message);
  Object.defineProperty(error, BRANDS, { value: new Set(["mcp.OAuthError"]) });
  if (!("code" in error)) Object.defineProperty(error, "code", { value: "invalid_token" });
  return error;
}

/**
 * The class of v1, whose gate asks for an instance of its own copy. There are two, for `import` and for `require`: the
 * one that the app has required is there already; otherwise it has imported the other.
 */
async function firstVersion(): Promise<ErrorClass> {
  type Module = { InvalidTokenError: ErrorClass };
  try {
    const required = require.cache[require.resolve(V1)];
    return ((required?.exports ?? (await import(V1))) as Module).InvalidTokenError;
  } catch {
    return InvalidTokenError;
  }
}
