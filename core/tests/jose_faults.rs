//! Our own vectors of every class of fault that Wycheproof's JOSE vectors test, for those who do not have Wycheproof's.
//! `wycheproof.rs` holds the list to its word where they are present.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

#[path = "data/jose_reading.rs"]
mod reading;

use reading::{accepted, faults, texts};

#[test]
fn no_fault_passes_and_what_is_sound_does() {
    let (mut refused, mut passed) = (0, 0);
    for fault in faults() {
        for token in texts(&fault, "refused") {
            assert!(!accepted(&fault["keys"], token), "{}: {token}", fault["fault"]);
            refused += 1;
        }
        for token in texts(&fault, "accepted") {
            assert!(accepted(&fault["keys"], token), "{}: {token}", fault["fault"]);
            passed += 1;
        }
    }
    assert!(refused > 150 && passed > 15, "{refused} {passed}");
}
