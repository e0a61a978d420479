/** Puts the core's questions to the host's functions, and reads their answers. */

import { shown } from "./configuration";
import { ConfigurationError, MisuseError, Undecided } from "./errors";
import type { Decision, Question } from "./native";
import type { ConsentQuestion, ExternalToken, RefreshQuestion, SignInAnswer, SignInQuestion, User } from "./types";

type Promised<T> = T | Promise<T>;

/** The host's own functions. `Request` is what the framework hands to its handlers. */
export interface HostFunctions<Request = any> {
  /**
   * Who is signed in? Called before the consent page is shown, and again when its answer comes. "personal_token": people
   * sign in by pasting a personal token.
   */
  signIn: ((request: Request, question: SignInQuestion) => Promised<SignInAnswer>) | "personal_token";
  /** Where to send the browser when `signIn` returns nothing. The way back is added as `nextParameter`. */
  loginUrl?: string;
  /** The query parameter with the way back. Default: "next". */
  nextParameter?: string;
  /** HTML of your own for the consent page, or nothing for the built-in page. */
  consentPage?: (request: Request, question: ConsentQuestion) => Promised<string | null | undefined>;
  /** Whether `question.subject` may still refresh. */
  mayRefresh?: (question: RefreshQuestion) => Promised<boolean>;
  /** Whose token is this, which you issued elsewhere? Nothing: unknown. */
  verifyToken?: (token: string) => Promised<ExternalToken | null | undefined>;
}

/** `signIn` returned nothing, and there is no login page to send the browser to. */
export class NobodySignedIn extends Undecided {}

/** The host's functions, checked once. */
export class Decisions {
  readonly #host: HostFunctions;
  readonly #loginUrl: string | undefined;
  readonly #nextParameter: string;

  constructor(host: HostFunctions) {
    if (!host.signIn) {
      throw new ConfigurationError(
        "signIn",
        'missing; give a function of the request that returns { subject }, { signIn: "/login" } or nothing, or "personal_token"',
      );
    }
    if (typeof host.signIn !== "function" && host.signIn !== "personal_token") {
      throw new ConfigurationError("signIn", `a function, or "personal_token", not ${shown(host.signIn)}; the address of your login page is loginUrl`);
    }
    for (const name of ["consentPage", "mayRefresh", "verifyToken"] as const) {
      if (host[name] !== undefined && typeof host[name] !== "function") throw new ConfigurationError(name, `a function, not ${shown(host[name])}`);
    }
    const { loginUrl, nextParameter = "next" } = host;
    if (loginUrl !== undefined && !/^(\/|https?:\/\/)/.test(loginUrl)) {
      throw new ConfigurationError("loginUrl", `a path such as "/login", or a URL, not ${shown(loginUrl)}`);
    }
    if (typeof nextParameter !== "string" || nextParameter === "") {
      throw new ConfigurationError("nextParameter", `the name of a query parameter, such as "next", not ${shown(nextParameter)}`);
    }
    this.#host = host;
    this.#loginUrl = loginUrl;
    this.#nextParameter = nextParameter;
  }

  /** Answers one question. What is thrown here is the host's failure. */
  async decide(question: Question, request: unknown): Promise<Decision> {
    if (question.signIn !== undefined) return this.#who(question.signIn, request);
    if (question.consent !== undefined) return this.#page(question.consent, request);
    if (question.refresh !== undefined) return { kind: (await this.#host.mayRefresh?.(question.refresh)) ? "allow" : "refuse" };
    return this.#owner(question.token ?? "");
  }

  async #who(question: SignInQuestion, request: unknown): Promise<Decision> {
    const { signIn } = this.#host;
    // The core asks who is signed in only where the host said that it knows.
    const answer = typeof signIn === "function" ? await signIn(request, question) : undefined;
    if (answer === undefined || answer === null) {
      if (this.#loginUrl === undefined) throw new NobodySignedIn("nobody is signed in");
      return { kind: "sign_in", location: this.withWayBack(this.#loginUrl, question.returnTo) };
    }
    if (typeof answer === "object") {
      if ("subject" in answer) return { kind: "signed_in", user: decidedUser("signIn", answer) };
      if ("signIn" in answer && typeof answer.signIn === "string") {
        return { kind: "sign_in", location: this.withWayBack(answer.signIn, question.returnTo) };
      }
      if ("approve" in answer) {
        const user = decidedUser("signIn", answer.approve);
        return answer.scopes === undefined ? { kind: "approve", user } : { kind: "approve", user, scopes: [...answer.scopes] };
      }
      if ("deny" in answer) return { kind: "deny" };
    }
    throw new MisuseError("signIn", `it must return { subject }, { signIn: "/login" }, { approve: { subject } }, { deny: true } or nothing, not ${shown(answer)}`);
  }

  /** Adds `next=<the way back>`, a path at the issuer's origin, unless the location already names it. */
  withWayBack(location: string, returnTo: string): string {
    const hash = location.indexOf("#");
    const [address, fragment] = hash < 0 ? [location, ""] : [location.slice(0, hash), location.slice(hash)];
    const mark = address.indexOf("?");
    const query = mark < 0 ? "" : address.slice(mark + 1);
    if (query.split("&").some((pair) => pair.split("=", 1)[0] === this.#nextParameter)) return location;
    const joint = mark < 0 ? "?" : query === "" ? "" : "&";
    return `${address}${joint}${this.#nextParameter}=${encoded(returnTo)}${fragment}`;
  }

  async #page(question: ConsentQuestion, request: unknown): Promise<Decision> {
    const html = await this.#host.consentPage?.(request, question);
    if (html === undefined || html === null) return { kind: "built_in" };
    if (typeof html !== "string") throw new MisuseError("consentPage", `it must return HTML as a text, or nothing for the built-in page, not ${shown(html)}`);
    return { kind: "page", html };
  }

  async #owner(token: string): Promise<Decision> {
    const answer = await this.#host.verifyToken?.(token);
    if (answer === undefined || answer === null) return { kind: "refuse" };
    if (typeof answer !== "object" || !Array.isArray(answer.scopes)) {
      throw new MisuseError("verifyToken", `it must return { subject, scopes } or nothing, not ${typeof answer}`);
    }
    const user = decidedUser("verifyToken", answer);
    const scopes = [...answer.scopes];
    return answer.expiresAt === undefined ? { kind: "credential", user, scopes } : { kind: "credential", user, scopes, expiresAt: answer.expiresAt };
  }
}

function decidedUser(at: string, user: User): { subject: string; name: string; claims: string } {
  if (typeof user !== "object" || user === null || typeof user.subject !== "string") {
    throw new MisuseError(at, `the subject is a text, not ${shown((user as User | undefined)?.subject)}; write { subject: String(…) }`);
  }
  return { subject: user.subject, name: user.name ?? "", claims: claimsText(`${at}.claims`, user.claims) };
}

/** Claims as the native module reads them. */
export function claimsText(at: string, claims: User["claims"]): string {
  if (claims === undefined || claims === null) return "{}";
  let text: string | undefined;
  try {
    text = JSON.stringify(claims);
  } catch {
    // A cycle, or a number that JSON lacks.
  }
  if (typeof claims !== "object" || Array.isArray(claims) || text === undefined) throw new MisuseError(at, "claims are an object of JSON values");
  return text;
}

/** A text as one value of a query: all but the unreserved characters of RFC 3986 are percent-encoded, as in every language. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
