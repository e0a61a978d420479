/** Further ways in beside a bearer token: an API key or a session of the host's own. */

import { shown } from "./configuration";
import { ConfigurationError, MisuseError } from "./errors";
import type { Guarded, Lockstep } from "./lockstep";
import { type Answer, answerIn } from "./messages";
import type { Identity, User } from "./types";

/** Who makes a request that has no bearer token: a User may do what the guard asks for, an Identity needs the scopes itself. */
export type Way = (request: any) => User | Identity | null | undefined | Promise<User | Identity | null | undefined>;

/** What a way leads to; undefined where it leads nowhere. */
export type Entered = { identity: Identity } | { refused: Answer } | undefined;

/** The further ways of one guard; undefined where it has none. */
export function otherWays(auth: Lockstep, options: Guarded, where: string): ((request: unknown) => Promise<Entered>) | undefined {
  const ways = (["orApiKey", "orSession"] as const).filter((name) => options[name] !== undefined);
  if (ways.length === 0) return undefined;
  for (const name of ways) {
    if (typeof options[name] !== "function") throw new ConfigurationError(`${where}({ ${name} })`, `a function of the request, not ${shown(options[name])}`);
  }
  const scopes = auth.knownScopes(options.scopes ?? [], where);
  const resource = auth.resourceNamed(options.resource, where);
  return async (request) => {
    for (const name of ways) {
      const answer = await options[name]?.(request);
      if (answer === undefined || answer === null) continue;
      if (typeof answer !== "object" || typeof answer.subject !== "string") {
        throw new MisuseError(name, `it must return { subject }, an identity or nothing, not ${shown(answer)}`);
      }
      if (!("scopes" in answer)) return { identity: external(answer, scopes, resource) };
      if (answer.resource && answer.resource !== resource) continue; // it is for somewhere else, so nobody is known here
      return auth.covers(answer, scopes) ? { identity: answer } : { refused: answerIn(auth.challenge(options, [])) };
    }
    return undefined;
  };
}

function external({ subject, claims = {} }: User, scopes: readonly string[], resource: string): Identity {
  return { subject, clientId: "", scopes, resource, claims, grantId: "", expiresAt: Number.MAX_SAFE_INTEGER, kind: "external" };
}
