//! What docs/PROOFS.md says is not promised after a fail-over, seen to happen: a page that claims its limits is checked too.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use lockstep_conformance::fixture::{refresh, tokens};
use lockstep_conformance::world::World;
use lockstep_oauth::authorization_server::operations::Operation;

fn sign_out(world: &mut World) {
    world.operate(Operation::SignOutEverywhere { subject: "alice".into() });
}

#[test]
fn a_token_of_the_lost_future_passes_for_the_generation_whose_number_it_bears() {
    let mut world = World::new();
    let first = world.connect();
    let copy = world.store.clone();
    let lost = tokens(&world.send(refresh(&first.refresh)));
    world.store = copy;
    assert!(!world.passes(&lost.access), "it is ahead of the record");
    assert_eq!(world.send(refresh(&lost.refresh)).refusal, Some("token.refresh.ahead"));
    world.wait(1);
    let kept = tokens(&world.send(refresh(&first.refresh)));
    assert_ne!(lost, kept);
    assert!(world.passes(&lost.access) && world.passes(&kept.access));
    // Whoever is first makes the other old: from then on, they are one token that was used twice.
    let third = tokens(&world.send(refresh(&lost.refresh)));
    assert_eq!(tokens(&world.send(refresh(&kept.refresh))), third);
    world.wait(31);
    assert_eq!(world.send(refresh(&kept.refresh)).refusal, Some("token.refresh.reused"));
    assert_eq!(world.send(refresh(&third.refresh)).refusal, Some("token.grant.dead"));
}

#[test]
fn a_sign_out_that_repeats_the_number_of_a_lost_one_spares_what_was_approved_between_and_the_one_after_does_not() {
    let mut world = World::new();
    let before = world.connect();
    let copy = world.store.clone();
    sign_out(&mut world);
    let between = world.connect();
    // The copy never saw the sign-out, and has the grant.
    let grants = world.store.keys("grant");
    let kept: Vec<_> = grants.iter().filter_map(|key| Some((key, world.store.record(key)?.clone()))).collect();
    let mut store = copy;
    for (key, record) in kept {
        store.put(key, record);
    }
    world.store = store;
    assert!(world.passes(&before.access), "the sign-out is lost");
    sign_out(&mut world);
    assert!(!world.passes(&before.access));
    assert!(world.passes(&between.access), "it has read that number before");
    sign_out(&mut world);
    assert!(!world.passes(&between.access));
}
