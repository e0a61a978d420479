//! Properties of the grant's table: every verdict on every record, and journeys against a model of its own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

use lockstep_oauth::grant::{Grant, GrantPolicy, GrantState, Moment, Redemption, Rotation};
use lockstep_oauth::store::GRANT_BYTES;
use proptest::prelude::*;
use serde_json::{Value, json};

#[path = "data/grant_model.rs"]
mod model;

/// The middle of the times that the records hold.
const NOON: u64 = 1_000_000;

fn record() -> Value {
    json!({
        "v": 1, "st": "live", "cl": "client", "su": "alice", "cm": {"plan": "gold"}, "sc": 3,
        "sp": ["a", "b"], "rs": ["https://h/mcp"], "ru": "https://c/cb", "ch": "challenge",
        "sa": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "ct": NOON, "ex": NOON, "rf": true,
        "g": {"n": 1, "k": "AAAAAA", "at": NOON, "ax": NOON, "rx": NOON},
        "lt": NOON, "sm": "AAAAAAAAAAA", "cn": "Client", "cnf": {"jkt": "kept"},
    })
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![8 => NOON - 100..NOON + 100, 1 => any::<u64>(), 1 => Just(0), 1 => Just(u64::MAX)]
}

fn stamp() -> impl Strategy<Value = [u8; 8]> {
    (0..3u8).prop_map(|byte| [byte; 8])
}

fn generation() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 1..5u32, 1 => any::<u32>(), 1 => Just(u32::MAX)]
}

prop_compose! {
    /// A record as some history could have left it: no end of a generation lies beyond the grant's own.
    fn grant()(
        state in prop::sample::select(&[GrantState::Granted, GrantState::Live, GrantState::Live, GrantState::Revoked][..]),
        number in generation(), times in (time(), time(), time(), time(), time()), stamp in stamp(),
        retried in any::<bool>(), streak in prop_oneof![0..4u32, Just(u32::MAX)], floor in 0..4u32,
    ) -> Grant {
        let mut grant = Grant::decode(record().to_string().as_bytes()).unwrap();
        grant.state = state;
        grant.stamp = stamp;
        grant.streak = streak;
        grant.access_floor = floor;
        grant.expires_at = times.0;
        grant.last_at = times.1;
        grant.generation.number = if state == GrantState::Granted { 0 } else { number };
        grant.generation.issued_at = times.2;
        grant.generation.access_expires_at = times.3.min(times.0);
        grant.generation.refresh_expires_at = times.4.min(times.0);
        grant.generation.retried = retried;
        grant
    }
}

prop_compose! {
    fn moment()(now in time(), stamp in stamp(), key in any::<[u8; 4]>(), was_current in any::<bool>()) -> Moment {
        Moment { now, stamp, key, jwt_kid: String::new(), was_current }
    }
}

prop_compose! {
    fn policy()(
        code_race_seconds in prop_oneof![Just(0), 0..60u64], retry_window_seconds in prop_oneof![Just(0), 0..=60u64],
        overlap_budget in prop::option::of(0..4u32), access_seconds in 1..200u64,
        idle_seconds in prop_oneof![1..200u64, Just(u64::MAX)],
    ) -> GrantPolicy {
        GrantPolicy { code_race_seconds, retry_window_seconds, overlap_budget, access_seconds, idle_seconds }
    }
}

/// What holds for every write, whatever it is for.
fn check_write(before: &Grant, after: &Grant, now: u64) {
    assert_ne!(before.state, GrantState::Revoked, "nothing is written over a dead grant");
    assert_eq!(after.last_at, now.max(before.last_at), "effective time never goes back");
    let ends = [after.generation.access_expires_at, after.generation.refresh_expires_at];
    assert!(ends.iter().all(|end| *end <= after.expires_at), "no generation outlives its grant");
    assert!(after.access_floor >= before.access_floor, "no dead access token comes back");
    assert!(after.generation.number >= before.generation.number);
    let mut same = after.clone();
    same.state = before.state;
    same.generation = before.generation.clone();
    same.streak = before.streak;
    same.last_at = before.last_at;
    same.stamp = before.stamp;
    same.access_floor = before.access_floor;
    same.revoked_because.clone_from(&before.revoked_because);
    assert_eq!(same, *before, "what was approved never changes");
    assert_eq!(Grant::decode(&after.encode().unwrap()).as_ref(), Some(after));
}

fn check_revoked(before: &Grant, dead: &Grant, moment: &Moment) {
    check_write(before, dead, moment.now);
    assert_eq!((dead.state, dead.stamp), (GrantState::Revoked, moment.stamp));
    assert_eq!((&dead.generation, dead.streak), (&before.generation, before.streak));
    assert!(!dead.revoked_because.is_empty());
}

fn check_next(before: &Grant, next: &Grant, moment: &Moment, policy: &GrantPolicy) {
    check_write(before, next, moment.now);
    let now = moment.now.max(before.last_at);
    assert_eq!(next.generation.number, before.generation.number + 1, "a generation grows by exactly one");
    assert_eq!((next.state, next.stamp, next.generation.key), (GrantState::Live, moment.stamp, moment.key));
    assert_eq!((next.generation.issued_at, next.generation.retried), (now, false));
    let end = |seconds: u64| now.saturating_add(seconds).min(before.expires_at);
    assert_eq!(next.generation.access_expires_at, end(policy.access_seconds));
    assert_eq!(next.generation.refresh_expires_at, end(policy.idle_seconds));
}

/// Another exchange, which has just begun, at the same time.
fn other(moment: &Moment) -> Moment {
    Moment { stamp: [9; 8], was_current: false, ..moment.clone() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

    #[test]
    fn a_code_is_redeemed_once_at_most(grant in grant(), moment in moment(), policy in policy()) {
        let now = moment.now.max(grant.last_at);
        match grant.redeem(&moment, &policy) {
            Redemption::Win(next) => {
                prop_assert_eq!(grant.state, GrantState::Granted);
                prop_assert!(now < grant.generation.refresh_expires_at && now < grant.expires_at);
                check_next(&grant, &next, &moment, &policy);
                prop_assert_eq!(next.redeem(&moment, &policy), Redemption::Won, "the winner knows its own write");
                let second = next.redeem(&other(&moment), &policy);
                prop_assert!(matches!(second, Redemption::Raced | Redemption::Replayed(_)), "{:?}", second);
                prop_assert_eq!(matches!(second, Redemption::Raced), policy.code_race_seconds > 0);
            }
            Redemption::Won => prop_assert_eq!((grant.state, grant.generation.number, grant.stamp), (GrantState::Live, 1, moment.stamp)),
            Redemption::Raced => {
                prop_assert_eq!(grant.state, GrantState::Live);
                let age = now.saturating_sub(grant.generation.issued_at);
                prop_assert!(moment.was_current || (grant.generation.number == 1 && age < policy.code_race_seconds));
            }
            Redemption::Replayed(dead) => {
                prop_assert_eq!(grant.state, GrantState::Live);
                prop_assert!(!moment.was_current, "who saw the code current never revokes");
                check_revoked(&grant, &dead, &moment);
                prop_assert_eq!(dead.redeem(&moment, &policy), Redemption::Dead);
            }
            Redemption::Dead => {
                let late = now >= grant.generation.refresh_expires_at.min(grant.expires_at);
                prop_assert!(grant.state == GrantState::Revoked || (grant.state == GrantState::Granted && late));
            }
        }
    }

    #[test]
    fn a_generation_has_one_successor(
        grant in grant(), moment in moment(), policy in policy(), offset in -3..=1i64, anything in prop::option::weighted(0.1, any::<u32>()),
    ) {
        let (now, current) = (moment.now.max(grant.last_at), grant.generation.number);
        let near = u32::try_from((i64::from(current) + offset).clamp(0, i64::from(u32::MAX))).unwrap();
        let presented = anything.unwrap_or(near);
        let age = now.saturating_sub(grant.generation.issued_at);
        let repeatable = current.checked_sub(1) == Some(presented)
            && (grant.stamp == moment.stamp || (policy.retry_window_seconds > 0 && age <= policy.retry_window_seconds));
        let alive = grant.state == GrantState::Live && now < grant.expires_at;
        match grant.rotate(presented, &moment, &policy) {
            Rotation::Win(next) => {
                prop_assert!(alive && presented == current && now < grant.generation.refresh_expires_at);
                check_next(&grant, &next, &moment, &policy);
                prop_assert_eq!(next.streak, if grant.generation.retried { grant.streak } else { 0 });
                if now < next.expires_at {
                    prop_assert_eq!(next.rotate(presented, &moment, &policy), Rotation::Repeat, "the winner knows its own write");
                    let second = next.rotate(presented, &other(&moment), &policy);
                    match policy.retry_window_seconds {
                        0 => prop_assert!(matches!(second, Rotation::Reused(_)), "{:?}", second),
                        _ => prop_assert!(matches!(second, Rotation::Mark(_) | Rotation::OverBudget(_)), "{:?}", second),
                    }
                }
            }
            Rotation::Repeat => {
                prop_assert!(alive && repeatable);
                prop_assert!(grant.stamp == moment.stamp || grant.generation.retried);
            }
            Rotation::Mark(marked) => {
                prop_assert!(alive && repeatable && !grant.generation.retried);
                check_write(&grant, &marked, moment.now);
                let mut generation = grant.generation.clone();
                generation.retried = true;
                prop_assert_eq!(&marked.generation, &generation, "the successor is the same");
                prop_assert_eq!((marked.state, marked.stamp), (GrantState::Live, grant.stamp), "the stamp is the winner's");
                prop_assert_eq!(marked.streak, grant.streak.saturating_add(1));
                prop_assert!(policy.overlap_budget.is_none_or(|budget| marked.streak <= budget));
                prop_assert_eq!(marked.rotate(presented, &moment, &policy), Rotation::Repeat);
            }
            Rotation::Raced => {
                prop_assert!(alive && moment.was_current && presented < current && !repeatable);
            }
            Rotation::Reused(dead) => {
                prop_assert!(alive && presented < current && !repeatable);
                prop_assert!(!moment.was_current, "who saw the token current never revokes for its age");
                check_revoked(&grant, &dead, &moment);
                prop_assert_eq!(dead.rotate(presented, &moment, &policy), Rotation::Dead);
            }
            Rotation::OverBudget(dead) => {
                prop_assert!(alive && repeatable && !grant.generation.retried && grant.stamp != moment.stamp);
                prop_assert!(policy.overlap_budget.is_some_and(|budget| grant.streak.saturating_add(1) > budget));
                check_revoked(&grant, &dead, &moment);
            }
            Rotation::Ahead => prop_assert!(alive && presented > current, "a token ahead of the record revokes nothing"),
            Rotation::Dead => {
                let last = current == u32::MAX;
                let late = presented == current && (now >= grant.generation.refresh_expires_at || last);
                prop_assert!(!alive || late);
            }
        }
    }

    #[test]
    fn nothing_leaves_revoked(mut grant in grant(), moment in moment(), policy in policy(), presented in generation()) {
        grant.state = GrantState::Revoked;
        grant.revoked_because = "first".to_owned();
        prop_assert_eq!(grant.redeem(&moment, &policy), Redemption::Dead);
        prop_assert_eq!(grant.rotate(presented, &moment, &policy), Rotation::Dead);
        prop_assert!(!grant.is_alive(moment.now, 0));
        let again = grant.revoked(moment.now, moment.stamp, "second");
        prop_assert_eq!((again.state, again.revoked_because.as_str()), (GrantState::Revoked, "first"));
        prop_assert_eq!(grant.access_revoked(presented, moment.now, moment.stamp).state, GrantState::Revoked);
    }

    #[test]
    fn a_grant_is_alive_until_its_end_and_its_subjects_counter(grant in grant(), now in time(), counter in 0..6u64) {
        let expected = grant.state != GrantState::Revoked && now < grant.expires_at && grant.last_at < grant.expires_at && counter <= 3;
        prop_assert_eq!(grant.is_alive(now, counter), expected);
    }

    #[test]
    fn killing_access_tokens_keeps_the_rest(grant in grant(), moment in moment(), generation in generation()) {
        prop_assume!(grant.state != GrantState::Revoked);
        let after = grant.access_revoked(generation, moment.now, moment.stamp);
        check_write(&grant, &after, moment.now);
        prop_assert_eq!((after.state, &after.generation, after.streak), (grant.state, &grant.generation, grant.streak));
        prop_assert_eq!(after.access_floor, grant.access_floor.max(generation));
    }

    #[test]
    fn a_record_reads_back_as_it_was_written(grant in grant(), name in ".{0,40}", claim in ".{0,40}", kid in ".{0,20}") {
        let mut grant = grant;
        grant.claims.insert(name.clone(), claim.clone().into());
        grant.name = name;
        grant.subject = claim;
        grant.generation.jwt_kid = kid;
        let bytes = grant.encode().unwrap();
        prop_assert_eq!(Grant::decode(&bytes), Some(grant));
    }

    #[test]
    fn a_record_of_another_version_or_shape_is_refused(version in any::<u64>(), field in 0..32usize, cut in any::<prop::sample::Index>()) {
        let mut value = record();
        value["v"] = version.into();
        prop_assert_eq!(Grant::decode(value.to_string().as_bytes()).is_some(), version == 1);
        let mut value = record();
        let fields = value.as_object_mut().unwrap();
        let name = fields.keys().nth(field % fields.len()).unwrap().clone();
        let open = ["cm", "cnf"].contains(&name.as_str());
        fields.insert(name, json!({"no": ["such", "value"]}));
        prop_assert_eq!(Grant::decode(value.to_string().as_bytes()).is_some(), open);
        let text = record().to_string();
        prop_assert!(Grant::decode(&text.as_bytes()[..cut.index(text.len())]).is_none());
    }

    #[test]
    fn any_journey_goes_as_the_model_says(steps in prop::collection::vec(model::step(), 1..60), policy in policy()) {
        model::journey(&steps, &policy);
    }
}

#[test]
fn a_grant_that_is_too_large_is_not_written() {
    let mut grant = Grant::decode(record().to_string().as_bytes()).unwrap();
    let room = GRANT_BYTES - grant.encode().unwrap().len();
    grant.subject.push_str(&"x".repeat(room));
    assert_eq!(grant.encode().unwrap().len(), GRANT_BYTES);
    grant.subject.push('x');
    assert_eq!(grant.encode(), None);
}

#[test]
fn a_record_without_resource_or_with_too_many_scopes_is_refused() {
    let mut value = record();
    value["rs"] = json!([]);
    assert_eq!(Grant::decode(value.to_string().as_bytes()), None);
    value = record();
    value["sp"] = (0..65).map(|number| Value::from(number.to_string())).collect();
    assert_eq!(Grant::decode(value.to_string().as_bytes()), None);
}

#[test]
fn a_key_binding_of_a_later_version_is_kept() {
    let grant = Grant::decode(record().to_string().as_bytes()).unwrap();
    let moment = Moment { now: NOON, stamp: [1; 8], key: [0; 4], jwt_kid: String::new(), was_current: false };
    let written: Value = serde_json::from_slice(&grant.revoked(NOON, moment.stamp, "test").encode().unwrap()).unwrap();
    assert_eq!(written["cnf"], json!({"jkt": "kept"}));
}

#[test]
fn a_record_counts_its_generations_from_its_redemption() {
    for (state, number, sound) in [
        ("granted", 0, true),
        ("granted", 1, false),
        ("live", 0, false),
        ("live", 1, true),
        ("revoked", 0, true),
        ("revoked", 1, true),
    ] {
        let mut record = record();
        record["st"] = state.into();
        record["g"]["n"] = number.into();
        assert_eq!(Grant::decode(record.to_string().as_bytes()).is_some(), sound, "{state} {number}");
    }
}
