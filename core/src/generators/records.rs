//! Grant records in every state, and bytes that are nearly one.

use crate::crypto::base64url;
use crate::generators::target::arbitrary_by;
use crate::grant::Grant;
use crate::store::{NEVER, Record};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use proptest::prelude::*;
use serde_json::{Value, json};

/// When the grants of this module were given, in seconds since 1970.
pub const GIVEN_AT: u64 = 1_800_000_000;

/// A grant as the core would have written it: granted, live or revoked, with or without refresh tokens.
pub fn grant() -> impl Strategy<Value = Grant> {
    let text = (grant_json(), any::<[u8; 32]>()).prop_map(|(mut value, salt)| {
        set(&mut value, "sa", base64url(&salt).into());
        value.to_string()
    });
    // What does not decode is a fault of the lines below, and the tests of this module say so.
    text.prop_filter_map("a grant that the core reads", |text| Grant::decode(text.as_bytes()))
}

/// A stored grant with its version and its end.
pub fn record() -> impl Strategy<Value = Record> {
    let version = prop_oneof![8 => 1..1u64 << 48, 1 => Just(1), 1 => Just(NEVER)];
    (grant(), version).prop_filter_map("a grant that fits its record", |(grant, version)| {
        Some(Record { version, value: grant.encode()?, expires_at: grant.expires_at })
    })
}

/// The bytes of a record, mostly changed in one member, cut short, or not JSON at all.
pub fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    let members =
        prop::sample::select(alloc::vec!["v", "st", "cl", "sp", "rs", "sa", "g", "ov", "lt", "ex", "sm", "new"]);
    let values = prop::sample::select(alloc::vec![
        Value::Null,
        json!(0),
        json!(u64::MAX),
        json!(-1),
        json!(""),
        json!("revoked"),
        json!([]),
        json!({}),
        json!({"n": 0}),
    ]);
    let changed = (grant_json(), members, values).prop_map(|(mut value, member, by)| {
        set(&mut value, member, by);
        value.to_string().into_bytes()
    });
    let cut = (grant_json(), any::<prop::sample::Index>()).prop_map(|(value, at)| {
        let mut bytes = value.to_string().into_bytes();
        bytes.truncate(at.index(bytes.len()));
        bytes
    });
    prop_oneof![6 => changed, 2 => cut, 1 => prop::collection::vec(any::<u8>(), 0..64)]
}

fn grant_json() -> impl Strategy<Value = Value> {
    let state = prop::sample::select(alloc::vec!["granted", "live", "live", "live", "revoked"]);
    let scopes = prop::collection::btree_set("[a-z]{1,6}(:[a-z]{1,5})?", 1..5);
    (state, 1..6u32, scopes, 0..5000u64, any::<bool>(), any::<bool>(), 0..3u32, "[a-z]{1,8}").prop_map(
        |(state, generation, scopes, age, refreshable, retried, streak, subject)| {
            let generation = if state == "granted" { 0 } else { generation };
            let at = GIVEN_AT + age;
            let scopes: Vec<String> = scopes.into_iter().collect();
            let mut value = json!({
                "v": 1, "st": state, "cl": "web", "su": subject, "sp": scopes, "rs": ["https://mcp.example/mcp"],
                "ru": "https://client.example/cb", "ch": base64url(&[7; 32]), "sa": base64url(&[0; 32]), "ct": GIVEN_AT,
                "ex": GIVEN_AT + 90 * 86_400, "rf": refreshable,
                "g": { "n": generation, "k": base64url(&[1; 4]), "at": at, "ax": at + 300, "rx": at + 86_400 },
                "lt": at, "sm": base64url(&[2; 8]),
            });
            if generation > 1 && retried {
                set(&mut value, "ov", (streak + 1).into());
                if let Some(current) = value.get_mut("g") {
                    set(current, "rt", true.into());
                }
            }
            if state == "revoked" {
                set(&mut value, "wy", format!("generation {generation}").into());
            }
            value
        },
    )
}

fn set(value: &mut Value, member: &str, to: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(member.to_string(), to);
    }
}

arbitrary_by!(Grant, grant());
arbitrary_by!(Record, record());
