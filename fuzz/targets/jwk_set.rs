#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lockstep_conformance::jose::jwk_set_property(data));
