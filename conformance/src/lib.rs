//! What Lockstep is held to. Properties are functions of bytes that panic when they fail: proptest and libFuzzer run
//! the same ones.

pub mod exchange_properties;
pub mod hostile;
pub mod jose;
pub mod values;
pub mod transcript;
pub mod running;
pub mod world;
pub mod fixture;
