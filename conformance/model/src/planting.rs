//! The switch for deliberate faults. Here there is none: `faults::plant` writes another file in this one's place, in a
//! scratch copy whose core has faults to switch on.

/// Switches one fault on, or all off with 0. False where there are no faults.
pub fn plant(_number: u32) -> bool {
    false
}
