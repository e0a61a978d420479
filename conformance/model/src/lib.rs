//! Model checking of the exchanges that Lockstep ships: not a model of them, the code itself, compiled so that an exchange
//! can be copied between two steps.
#![allow(clippy::indexing_slicing, clippy::panic, reason = "a world that contradicts itself should fail loudly")]

#[cfg(not(lockstep_model))]
compile_error!("build this in its own folder, whose .cargo/config.toml sets `--cfg lockstep_model`");

pub mod node;
pub mod ask;
pub mod heard;
pub mod state;
pub mod machine;
pub mod world;
pub mod laws;
pub mod worlds;
pub mod search;
pub mod story;
pub mod check;
pub mod planting;
pub mod faults;
pub mod page;
