/** What can be thrown at a host. A peer that is wrong is never an exception: it is a ready response (a refusal). */

import { noteMissingScopes } from "./context";

/** The base of every error of this package. */
export class LockstepError extends Error {
  override get name(): string {
    return this.constructor.name;
  }
}

/** The configuration cannot work: `field` names the place (`resources[0].name`), the message the fix. */
export class ConfigurationError extends LockstepError {
  readonly field: string;

  constructor(field: string, message: string, options?: ErrorOptions) {
    super(field ? `${field}: ${message}` : message, options);
    this.field = field;
  }
}

/** The host called wrongly; whatever it called is as it was. `at` names the call, the message the fix. */
export class MisuseError extends LockstepError {
  readonly at: string;

  constructor(at: string, message: string, options?: ErrorOptions) {
    super(at ? `${at}: ${message}` : message, options);
    this.at = at;
  }
}

/** A store could not be read. The request is answered 503, and nothing has been written. */
export class StoreError extends LockstepError {}

/** Another server gave no usable answer. The message is for the operator. */
export class FetchError extends LockstepError {}

/** Nothing was sent: the budget for fetches of that sort is spent. */
export class OverBudgetError extends FetchError {
  constructor() {
    super("the budget is spent");
  }
}

/** Throw it where a decision is asked for and cannot be made: the request is answered 503, and nothing is reported. */
export class Undecided extends LockstepError {}

/** Throw it inside a protected handler or tool: the client is asked to step up to `scopes` (403 with a challenge). */
export class InsufficientScope extends LockstepError {
  readonly scopes: readonly string[];

  constructor(...scopes: string[]) {
    super(`needs ${scopes.join(" ")}`);
    this.scopes = scopes;
    noteMissingScopes(scopes);
  }
}
