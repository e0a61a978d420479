#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lockstep_conformance::exchange_properties::register_request(data));
