//! The properties of the small readers and of forged texts, on random bytes and on what is nearly right.

use lockstep_conformance::forged::{forged_text, stored_record};
use lockstep_conformance::hostile::{NOW, SECRET, Tape, World, env};
use lockstep_conformance::parts::{address_property, basic_property, header_property};
use lockstep_oauth::protected_resource::{CheckRequest, Checked};
use proptest::collection::vec;
use proptest::prelude::*;

/// Lines of header fields that matter, and any others.
const LINES: &[&str] = &[
    "Cookie: a=1; b=2",
    "cookie:a=1",
    "COOKIE: a=1; a=2",
    "Cookie: =; a; b=\"x\"=y",
    "Cookie: \u{a7}=1;a=1",
    "Content-Type: application/json",
    "content-type:APPLICATION/JSON ; charset=utf-8",
    "Content-Type: application/x-www-form-urlencoded",
    "Content-Type: text/plain",
    "Authorization: \t Bearer x \t",
    "Authorization: \u{feff}x",
    "authorization:",
    "absent : x",
    ": x",
];

/// Stored records that are nearly right.
const RECORDS: &[&str] = &[
    r#"{"v":1,"counter":0}"#,
    r#"{"v":1,"counter":18446744073709551615}"#,
    r#"{"v":2}"#,
    r#"{"v":1,"document":"{}","fresh_until":0}"#,
    r#"{"v":1,"keys":{"keys":[]},"fresh_until":99999999999,"fetched_at":0}"#,
    r#"{"v":1,"metadata":{"redirect_uris":["https://r.example/cb"]},"management_hash":"","issued_at":1,"expires_at":9007199254740991}"#,
    "{}",
    "null",
    "",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_address_is_one_to_everybody_or_to_nobody(
        text in "[0-9]{1,3}(\\.[0-9]{1,3}){3}|\\[[0-9a-f:.]{2,20}\\]|\\[::[0-9.]{7,11}\\]|0x[0-9a-f]{1,8}|[0-9]{1,10}|[0-9a-f:]{2,20}|[0-9.x]{1,12}",
        bits in any::<u128>(),
    ) {
        address_property(text.as_bytes());
        address_property(std::net::Ipv6Addr::from_bits(bits).to_string().as_bytes());
        // An eighth of the addresses is global unicast.
        address_property(std::net::Ipv6Addr::from_bits(bits >> 3 | 1 << 125).to_string().as_bytes());
        address_property(std::net::Ipv4Addr::from_bits(bits as u32).to_string().as_bytes());
    }

    #[test]
    fn a_header_is_read_once_or_not_at_all(
        lines in vec(prop::sample::select(LINES), 0..5), noise in vec(any::<u8>(), 0..30),
    ) {
        header_property(lines.join("\n").as_bytes());
        header_property(&[lines.join("\n").as_bytes(), b"\n", &noise].concat());
    }

    #[test]
    fn credentials_let_their_client_in_alone(
        raw in any::<bool>(), text in prop_oneof![
            "secret:(a secret of the client|a\\+secret\\+of\\+the\\+client|a%20secret of the%20client|%61 secret of the client|a secret of the clien)",
            "(secret|%73ecret|Secret|sec\u{a7}ret)?:?(a secret of the client)?",
            "[A-Za-z0-9+/=]{0,12}",
        ],
    ) {
        basic_property(&[&[u8::from(raw)], text.as_bytes()].concat());
    }

    #[test]
    fn nothing_forged_is_accepted(start in any::<[u8; 2]>(), edits in vec(any::<[u8; 3]>(), 0..3)) {
        forged_text(&[&start[..], edits.concat().as_slice()].concat());
    }

    #[test]
    fn one_changed_letter_is_a_forgery(start in any::<[u8; 2]>(), place in any::<u8>(), change in 0..40u8, letter in "[A-Za-z0-9_=.-]") {
        forged_text(&[&start[..], &[place, change], letter.as_bytes()].concat());
    }

    #[test]
    fn no_record_does_harm(
        start in any::<[u8; 2]>(), value in prop_oneof![
            prop::sample::select(RECORDS).prop_map(|record| record.as_bytes().to_vec()),
            vec(any::<u8>(), 0..40),
        ],
    ) {
        stored_record(&[&start[..], &value].concat());
    }
}

/// The property of forged texts holds where nothing is accepted at all; here they are accepted, unchanged.
#[test]
fn what_was_given_out_is_accepted() {
    for choice in [0, 3] {
        let world = World::new(choice);
        for word in [b"\x04", b"\x06"] {
            let headers = vec![("authorization".to_owned(), world.expand(&[b"Bearer ", &word[..]].concat()))];
            let step = world.server.check(CheckRequest { headers, ..CheckRequest::default() }, env(NOW, 9));
            let (checked, _) = world.clone().drive(step, &mut Tape::split(&[], 0).0, NOW);
            assert!(matches!(checked, Checked::Allowed(_)), "{checked:?}");
        }
        let good: &[(&str, &[u8], u8, u16)] = &[
            ("/token", b"grant_type=authorization_code&client_id=public&code_verifier=\x05&code=\x01", 7, 200),
            ("/token", b"grant_type=refresh_token&client_id=public&refresh_token=\x03", 7, 200),
            ("/introspect", b"token=x&client_assertion_type=\x14&client_assertion=\x0f", 7, 200),
            ("/introspect", b"token=x&client_assertion_type=\x14&client_assertion=\x1d", 7, 200),
            ("/consent", b"seal=\x1f&decision=approve&ticket=\x1e", 0, 303),
        ];
        for (path, text, style, status) in good {
            let step = world.server.handle(world.request("POST", path, text, *style), env(NOW, 9));
            let (answer, _) = world.clone().drive(step, &mut Tape::split(&[], 0).0, NOW);
            assert_eq!(answer.response.status, *status, "{path} {:?}", answer.events);
        }
        basic_property(format!("\0secret:{SECRET}").as_bytes());
    }
}
