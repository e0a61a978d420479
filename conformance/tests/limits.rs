//! Limits at their last byte and the one behind it, and readings that only a rare spelling shows.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

use lockstep_conformance::hostile::{NOW, Tape, World, env};
use lockstep_oauth::authorization_server::Answer;
use lockstep_oauth::protected_resource::{CheckRequest, Checked};
use serde_json::Value;

fn check(world: &World, header: &[u8], query: &[u8]) -> Checked {
    let headers = vec![("authorization".to_owned(), world.expand(header))];
    let request = CheckRequest { headers, query: world.expand(query), ..CheckRequest::default() };
    let step = world.server.check(request, env(NOW, 9));
    world.clone().drive(step, &mut Tape::split(&[], 0).0, NOW).0
}

fn refused(checked: Checked) -> &'static str {
    match checked {
        Checked::Refused(Answer { refusal: Some(id), .. }) => id,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_bearer_token_has_at_most_16_kib() {
    let world = World::new(0);
    for (length, id) in [(16 * 1024, "bearer.invalid"), (16 * 1024 + 1, "bearer.malformed")] {
        let header = [&b"Bearer "[..], &vec![b'a'; length]].concat();
        assert_eq!(refused(check(&world, &header, b"")), id, "{length}");
    }
}

#[test]
fn a_token_in_the_query_is_seen_however_its_name_is_spelled() {
    let world = World::new(0);
    for query in [&b"access_token=x"[..], b"a=b&access_token=x", b"access%5Ftoken=x", b"access_token=x&access_token=y"]
    {
        assert_eq!(refused(check(&world, b"Bearer \x04", query)), "bearer.several", "{}", query.escape_ascii());
    }
    for query in [&b""[..], b"access_token=", b"access_token", b"token=x", b"q=access_token", b"%"] {
        assert!(matches!(check(&world, b"Bearer \x04", query), Checked::Allowed(_)), "{}", query.escape_ascii());
    }
}

#[test]
fn narrowing_to_any_one_scope_leaves_that_one_alone() {
    for (asked, given) in [("a", "a"), ("b", "b"), ("a+b", "a b"), ("b+a", "a b")] {
        let mut world = World::new(0);
        let form = format!("grant_type=refresh_token&client_id=public&refresh_token=\x03&scope={asked}");
        let step = world.server.handle(world.request("POST", "/token", form.as_bytes(), 7), env(NOW, 9));
        let (answer, _) = world.drive(step, &mut Tape::split(&[], 0).0, NOW);
        let body: Value = serde_json::from_slice(&answer.response.body).unwrap();
        assert_eq!(body["scope"], given, "{asked}: {body}");
    }
}

#[test]
fn a_challenge_says_no_character_that_could_end_its_quotes() {
    let world = World::new(0);
    let scopes = vec!["a\"b\\c\u{e9}\r\nd".to_owned()];
    let request = CheckRequest { scopes, ..CheckRequest::default() };
    let step = world.server.check(request, env(NOW, 9));
    let Checked::Refused(answer) = world.clone().drive(step, &mut Tape::split(&[], 0).0, NOW).0 else { panic!() };
    let challenge = answer.response.header("www-authenticate").unwrap();
    assert!(challenge.contains("scope=\"abcd\", "), "{challenge}");
}
