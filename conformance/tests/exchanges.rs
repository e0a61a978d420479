//! The properties of whole exchanges, on random tapes and on requests made of the pieces that matter.

use lockstep_conformance::exchange_properties::{self as properties, PROPERTIES};
use lockstep_conformance::hostile::{NOW, Tape, World, env};
use proptest::collection::vec;
use proptest::prelude::*;
use std::path::Path;

/// A tape that is honest for a while, and then anything.
fn tape() -> impl Strategy<Value = Vec<u8>> {
    let hostile = (vec(Just(0u8), 0..12), vec(any::<u8>(), 0..40)).prop_map(|(honest, any)| [honest, any].concat());
    // The first bytes choose the world, the headers and the time: mostly the usual ones.
    let start = (0..8u8, prop_oneof![3 => Just(0u8), 1 => 0..8u8], prop_oneof![3 => Just(0u8), 1 => 0..9u8]);
    (start, prop_oneof![1 => Just(Vec::new()), 3 => hostile]).prop_map(|((world, style, time), mut rest)| {
        let mut tape = vec![world, style, time];
        tape.append(&mut rest);
        tape.resize(48, 0);
        tape
    })
}

/// Parameters that matter, put together to a form: a good one, a few changed, or any.
fn form(good: &'static [&'static [u8]], others: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let nearly = (Just(good), vec((any::<prop::sample::Index>(), prop::sample::select(others)), 0..3));
    let nearly = nearly.prop_map(|(good, changes)| {
        let mut pairs = good.to_vec();
        for (at, pair) in changes {
            let name = |pair: &[u8]| pair.split(|byte| *byte == b'=').next().unwrap_or_default().to_vec();
            match pairs.iter().position(|old| name(old) == name(pair)) {
                Some(same) if at.index(4) > 0 => pairs.splice(same..=same, [pair]),
                _ => pairs.splice(0..0, [pair]),
            };
        }
        pairs.join(&b'&')
    });
    let loose = vec(prop::sample::select(others), 0..6).prop_map(|pairs| pairs.join(&b'&'));
    let noise = vec(any::<u8>(), 0..60);
    prop_oneof![6 => nearly, 2 => loose, 1 => noise]
}

fn with_tape(text: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (tape(), text).prop_map(|(tape, text)| [tape, text].concat())
}

const AUTHORIZE: &[&[u8]] = &[
    b"response_type=code",
    b"client_id=public",
    b"redirect_uri=\x13",
    b"code_challenge=\x10",
    b"code_challenge_method=S256",
    b"resource=\x11",
    b"scope=a+b",
    b"state=s",
];
const AUTHORIZE_OTHERS: &[&[u8]] = &[
    b"client_id=\x15",
    b"client_id=\x07",
    b"client_id=secret",
    b"client_id=keyed",
    b"client_id=https://as.example/x",
    b"client_id=%00",
    b"redirect_uri=https%3A%2F%2Fc.example%2Fcb%3Fx%3D1",
    b"redirect_uri=https%3A%2F%2Fclient.example%2Fcb",
    b"redirect_uri=https%3A%2F%2Fr.example%2Fcb",
    b"redirect_uri=https%3A%2F%2Fevil.example",
    b"scope=b",
    b"scope=",
    b"scope=%22",
    b"scope=offline_access",
    b"scope=unknown",
    b"resource=https://AS.example/mcp",
    b"resource=https%3A%2F%2Fas.example%2Fother",
    b"resource=x",
    b"response_type=token",
    b"response_mode=fragment",
    b"code_challenge_method=plain",
    b"code_challenge=x",
    b"state=%0D%0ALocation%3A%20x",
    b"state=\xc2\xa7",
    b"request=x",
    b"prompt=none",
    b"state=\x17",
];
const TOKEN: &[&[u8]] = &[b"grant_type=authorization_code", b"client_id=public", b"code=\x01", b"code_verifier=\x05"];
const REFRESH: &[&[u8]] = &[b"grant_type=refresh_token", b"client_id=public", b"refresh_token=\x03", b"resource=\x11"];
const TOKEN_OTHERS: &[&[u8]] = &[
    b"grant_type=refresh_token",
    b"grant_type=authorization_code",
    b"grant_type=x",
    b"client_id=secret",
    b"client_id=keyed",
    b"client_id=\x07",
    b"client_id=\x15",
    b"client_secret=\x12",
    b"client_secret=\x1c",
    b"client_assertion=\x0f",
    b"client_assertion_type=\x14",
    b"code=\x1b",
    b"code=\x02",
    b"refresh_token=\x02",
    b"refresh_token=\x04",
    b"refresh_token=\x01",
    b"code_verifier=x",
    b"redirect_uri=\x13",
    b"redirect_uri=x",
    b"scope=a",
    b"scope=b+a",
    b"scope=c",
    b"scope=%5C",
    b"resource=https%3A%2F%2Fas.example%2Fother",
    b"resource=\x11",
    b"resource=x",
    b"token=\x03",
    b"token=\x04",
    b"token=\x06",
];
const CONSENT: &[&[u8]] = &[b"ticket=\x19", b"seal=\x1a", b"decision=approve", b"scope=b"];
const CONSENT_OTHERS: &[&[u8]] = &[
    b"ticket=\x0b",
    b"seal=\x0c",
    b"ticket=\x03",
    b"seal=\x19",
    b"decision=deny",
    b"decision=",
    b"scope=a",
    b"scope=c",
    b"token=\x06",
];
const REGISTER: &[&str] = &[
    r#""redirect_uris":["https://r.example/cb"]"#,
    r#""redirect_uris":["http://localhost/cb","app.x:/cb"]"#,
    r#""redirect_uris":[]"#,
    r#""redirect_uris":["javascript:x"]"#,
    r#""token_endpoint_auth_method":"none""#,
    r#""token_endpoint_auth_method":"private_key_jwt""#,
    r#""token_endpoint_auth_method":"x""#,
    r#""grant_types":["authorization_code","refresh_token"]"#,
    r#""grant_types":["password"]"#,
    r#""client_name":"\u202e\u0000""#,
    r#""client_name":"App""#,
    r#""scope":"a b c""#,
    r#""scope":"\"""#,
    r#""jwks":{"keys":[]}"#,
    r#""jwks_uri":"https://k.example/keys""#,
    r#""jwks_uri":"http://k.example""#,
    r#""contacts":["x"]"#,
    r#""contacts":null"#,
    r#""application_type":"native""#,
    r#""logo_uri":"javascript:x""#,
    r#""client_id":"x""#,
    r#""response_types":["code"]"#,
];
const DOCUMENT: &[&str] = &[
    r#""client_id":"https://client.example/app.json""#,
    r#""client_id":"https://client.example/app""#,
    r#""client_name":"<script>alert(1)</script>""#,
    r#""client_name":7"#,
    r#""redirect_uris":["https://client.example/cb"]"#,
    r#""redirect_uris":["https://client.example/cb","javascript:x"]"#,
    r#""redirect_uris":"x""#,
    r#""client_secret":"x""#,
    r#""token_endpoint_auth_method":"client_secret_basic""#,
    r#""token_endpoint_auth_method":"none""#,
    r#""jwks":{"keys":[]}"#,
    r#""jwks_uri":"https://client.example/keys""#,
    r#""grant_types":["authorization_code"]"#,
    r#""scope":"a""#,
];
const CONFIG: &[&str] = &[
    r#""issuer":"https://as.example""#,
    r#""issuer":"https://as.example/t""#,
    r#""issuer":"http://127.0.0.1:8/""#,
    r#""issuer":"x""#,
    r#""resources":[{"resource":"https://as.example/mcp","name":"\u00a7\"\n"}]"#,
    r#""resources":[]"#,
    r#""resources":[{"resource":"https://as.example"},{"resource":"https://h/a?b","documentation":"https://h"}]"#,
    r#""scopes":[{"name":"a"}]"#,
    r#""scopes":[{"name":"a","implies":["b"]},{"name":"b","default":false}]"#,
    r#""scopes":[{"name":"\""}]"#,
    r#""access_token_format":"jwt""#,
    r#""registration":{"mode":"open"}"#,
    r#""registration":{"mode":"guarded"}"#,
    r#""sign_in":"personal_token""#,
    r#""retry_window_seconds":61"#,
    r#""retry_window_seconds":0"#,
    r#""overlap_budget":3"#,
    r#""documents":[{"path":"/.well-known/x","body":"y"}]"#,
    r#""documents":[{"path":"/.well-known/\n","body":"y"}]"#,
    r#""client_documents":{"loopback":true}"#,
    r#""token_prefixes":{"code":"x_"}"#,
    r#""token_prefixes":{"code":"lsa_"}"#,
    r#""service_documentation":"https://h/\u00a7""#,
    r#""unknown":1"#,
    r#""absolute_seconds":60"#,
];

const BEARER: &[&[u8]] = &[
    b"Bearer \x04",
    b"Bearer \x06",
    b"bearer \x04",
    b"Bearer \x03",
    b"Bearer x",
    b"Bearer \x04\nscope=a",
    b"Bearer \x04\naccess_token=\x04",
    b"",
    b"Basic \x16",
];
const FORM: &[&[u8]] =
    &[b"a", b"b", b"=", b"&", b"%", b"%61", b"+", b";", b"\xc2\xa7", b"%c2%a7", b"%ff", b"%2", b"\xff"];

fn object(members: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let keep = vec(prop::sample::select(members), 0..7);
    let text = keep.prop_map(|members| format!("{{{}}}", members.join(",")).into_bytes());
    prop_oneof![6 => text, 1 => vec(any::<u8>(), 0..40)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn an_authorization_request_does_no_harm(data in with_tape(form(AUTHORIZE, AUTHORIZE_OTHERS))) {
        properties::authorize_request(&data);
    }

    #[test]
    fn a_token_leaves_after_a_write_alone(data in with_tape(prop_oneof![form(TOKEN, TOKEN_OTHERS), form(REFRESH, TOKEN_OTHERS)])) {
        properties::token_request(&data);
    }

    #[test]
    fn an_answer_to_the_consent_page_does_no_harm(data in with_tape(form(CONSENT, CONSENT_OTHERS))) {
        properties::consent_request(&data);
    }

    #[test]
    fn any_other_request_does_no_harm(first in any::<u8>(), data in with_tape(form(REFRESH, TOKEN_OTHERS))) {
        properties::any_request(&[&[first][..], &data].concat());
    }

    #[test]
    fn a_registration_does_no_harm(data in with_tape(object(REGISTER))) {
        properties::register_request(&data);
    }

    #[test]
    fn a_client_document_does_no_harm(data in object(DOCUMENT)) {
        properties::client_document(&data);
    }

    #[test]
    fn who_is_let_in_may_come_in(
        data in with_tape(prop_oneof![
            prop::sample::select(BEARER)
                .prop_map(<[u8]>::to_vec),
            vec(any::<u8>(), 0..40),
        ]),
    ) {
        properties::bearer_request(&data);
    }

    #[test]
    fn a_configuration_is_refused_or_works(data in object(CONFIG)) {
        properties::config(&data);
    }

    #[test]
    fn a_form_is_read_as_url_reads_it(data in prop_oneof![
        vec(prop::sample::select(FORM), 0..20)
            .prop_map(|pieces| pieces.concat()),
        vec(any::<u8>(), 0..60),
    ]) {
        properties::form(&data);
    }

    #[test]
    fn an_operation_does_no_harm(data in with_tape(vec(prop::sample::select(&["alice", "\n", "a", "b", "https://as.example/mcp", "x"][..]), 0..9).prop_map(|words| words.concat().into_bytes()))) {
        properties::operation(&data);
    }
}

#[test]
fn every_seed_of_the_fuzzer_holds() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    let mut ran = 0;
    for (name, property) in PROPERTIES {
        for entry in std::fs::read_dir(seeds.join(name)).into_iter().flatten().flatten() {
            property(&std::fs::read(entry.path()).unwrap_or_default());
            ran += 1;
        }
    }
    assert!(ran >= PROPERTIES.len(), "every property has a seed, {ran} ran");
}

/// The properties hold of refusals as well, so that they would hold of a world in which nothing works. This one works.
#[test]
fn an_honest_tape_leads_to_success() {
    let good: &[(&str, &str, u8, &[u8], u16)] = &[
        ("GET", "/authorize", 0, b"response_type=code&client_id=public&redirect_uri=\x13&code_challenge=\x10&code_challenge_method=S256&resource=\x11", 200),
        ("GET", "/authorize", 0, b"response_type=code&client_id=\x15&redirect_uri=https%3A%2F%2Fclient.example%2Fcb&code_challenge=\x10&code_challenge_method=S256&resource=\x11", 200),
        ("POST", "/consent", 0, b"ticket=\x19&seal=\x1a&decision=approve&scope=b", 303),
        ("POST", "/token", 7, b"grant_type=authorization_code&client_id=public&code=\x01&code_verifier=\x05", 200),
        ("POST", "/token", 7, b"grant_type=refresh_token&client_id=public&refresh_token=\x03", 200),
        ("POST", "/token", 7, b"grant_type=refresh_token&client_id=public&refresh_token=\x02", 200),
        ("POST", "/introspect", 1, b"token=\x04", 200),
        ("POST", "/introspect", 7, b"token=\x04&client_assertion=\x0f&client_assertion_type=\x14", 200),
        ("POST", "/revoke", 7, b"token=\x03&client_id=public", 200),
        ("POST", "/register", 7, br#"{"redirect_uris":["https://r.example/cb"]}"#, 201),
    ];
    for world in [0, 3] {
        for (method, path, style, text, status) in good {
            let mut world = World::new(world);
            let request = world.request(method, path, text, *style);
            let step = world.server.handle(request, env(NOW, 9));
            let (answer, _) = world.drive(step, &mut Tape::split(&[], 0).0, NOW);
            assert_eq!(answer.response.status, *status, "{method} {path} {:?}", answer.events);
        }
    }
}
