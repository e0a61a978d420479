/** The values that a host gives and gets. */

import type { ConsentQuestion, GrantSummary, Refusal, RefreshQuestion, SignInQuestion } from "../native/index";

export type { ConsentQuestion, GrantSummary, Refusal, RefreshQuestion, SignInQuestion };

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Claims of a user, as JSON values. */
export type Claims = { readonly [name: string]: Json };

/** A person, as the host knows them. */
export interface User {
  /** A stable identifier, unique at this issuer: 1 to 255 bytes. */
  subject: string;
  /** What to call them on the consent page; the subject when left out. */
  name?: string | undefined;
  /** Claims that ride along to handlers and introspection. */
  claims?: Claims | undefined;
}

/** What `signIn` answers: the user, or where to send the browser, or what the host has already asked the user itself. */
export type SignInAnswer =
  | User
  /** Nobody is signed in: send the browser to this URL, or path at the same origin. The way back is added. */
  | { signIn: string }
  /** The host asked the user itself, and they agreed to `scopes` (all that were asked for when left out). */
  | { approve: User; scopes?: readonly string[] | undefined }
  /** The user said no. */
  | { deny: true }
  | null
  | undefined;

/** What `verifyToken` returns for a token of yours that this server did not issue. */
export interface ExternalToken {
  subject: string;
  scopes: readonly string[];
  /** Seconds since 1970; left out when `verifyToken` checks that each time. */
  expiresAt?: number | undefined;
  claims?: Claims | undefined;
}

/** Who asks, and what they may do. */
export interface Identity {
  /** The user. */
  readonly subject: string;
  /** The client; empty for personal and external credentials. */
  readonly clientId: string;
  /** The scopes of this token, in the order of its grant. */
  readonly scopes: readonly string[];
  /** The resource that the token is for, as configured. */
  readonly resource: string;
  /** The user's claims at approval. */
  readonly claims: Claims;
  /** The grant; empty for external credentials. */
  readonly grantId: string;
  /** Seconds since 1970. */
  readonly expiresAt: number;
  readonly kind: "access" | "personal" | "external";
}

/** One event for the operator. It holds no token, code, secret or verifier. */
export interface AuditEvent {
  /** A stable id, such as `token.refreshed`, or the id of a refusal (see `explain`). */
  readonly id: string;
  /** Seconds since 1970. */
  readonly at: number;
  /** Named details. */
  readonly details: { readonly [name: string]: string };
}

/** A personal token, shown once. */
export interface IssuedToken {
  readonly token: string;
  readonly grantId: string;
  /** Seconds since 1970. */
  readonly expiresAt: number;
}
