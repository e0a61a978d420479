//! What the bindings share: an exchange of whichever kind behind one type, and the words that languages without sum types
//! use for outcomes and rules. It decides nothing.

#![allow(clippy::result_large_err, reason = "a state is given back with a misuse, so that nothing is lost")]

mod state;
mod words;

pub use state::{Answered, State, guarded};
pub use words::{AddressWord, address_rule, address_word, committed, identity_kind, identity_word, permitted, seed};
