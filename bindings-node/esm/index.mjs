// The package is CommonJS; this names what it exports. There is one copy of it, whichever way it is loaded.
export {
  ConfigurationError,
  FetchError,
  InsufficientScope,
  Lockstep,
  LockstepError,
  MisuseError,
  OverBudgetError,
  StoreError,
  Undecided,
  currentIdentity,
  explain,
  lockstep,
  refusals,
} from "../dist/index.js";
