//! Deliberate mistakes of the model. Each must be noticed by the journeys: a comparison that accepts one compares nothing.

/// What is wrong with the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variation {
    /// Nothing.
    None,
    /// A redirect may go on after a registered one.
    AnyPathOfARedirect,
    /// A code needs no verifier.
    VerifierIsOptional,
    /// A replayed code ends nothing.
    ReplayIsForgiven,
    /// A replayed code ends its grant whatever comes with it.
    AnyReplayRevokes,
    /// Another client may refresh.
    AnyClientRefreshes,
    /// A lost answer cannot be repeated.
    NoWindow,
    /// The last answer can be repeated for ever.
    WindowNeverEnds,
    /// An old refresh token ends nothing.
    ReuseIsForgiven,
    /// Any number of generations may be repeated.
    NoBudget,
    /// A wider scope is cut instead of refused.
    WiderScopeIsCut,
    /// A narrower scope holds for ever.
    NarrowingStays,
    /// An unused refresh token lives on.
    IdleForEver,
    /// A grant has no end.
    GrantsNeverEnd,
    /// The clock is right even when it runs backwards.
    ClockIsBelieved,
    /// Signing out everywhere ends nothing.
    SignOutForgets,
    /// Revoking an access token ends its grant.
    AccessRevocationEndsGrant,
    /// A refresh token is as good as an access token.
    RefreshTokensOpenDoors,
    /// A token is good at every resource.
    AnyAudience,
}

/// All of them.
pub const VARIATIONS: [Variation; 18] = [
    Variation::AnyPathOfARedirect,
    Variation::VerifierIsOptional,
    Variation::ReplayIsForgiven,
    Variation::AnyReplayRevokes,
    Variation::AnyClientRefreshes,
    Variation::NoWindow,
    Variation::WindowNeverEnds,
    Variation::ReuseIsForgiven,
    Variation::NoBudget,
    Variation::WiderScopeIsCut,
    Variation::NarrowingStays,
    Variation::IdleForEver,
    Variation::GrantsNeverEnd,
    Variation::ClockIsBelieved,
    Variation::SignOutForgets,
    Variation::AccessRevocationEndsGrant,
    Variation::RefreshTokensOpenDoors,
    Variation::AnyAudience,
];
