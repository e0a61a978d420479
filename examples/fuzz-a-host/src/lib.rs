#![doc = include_str!("../../../docs/PROPERTY_TESTS.md")]

pub mod browser;
pub mod wire;
