//! Properties that Lockstep must hold. They run under proptest here and under libFuzzer in `fuzz/`.

pub mod values;
