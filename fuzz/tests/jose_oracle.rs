//! The same property under proptest, on headers and payloads made of the pieces that matter.

use lockstep_fuzz::jose_oracle;
use proptest::collection::vec;
use proptest::prelude::*;

const HEADER: &[&str] = &[
    r#""alg":"ES256""#,
    r#""alg":"EdDSA""#,
    r#""alg":"Ed25519""#,
    r#""alg":"RS256""#,
    r#""alg":"PS256""#,
    r#""alg":"none""#,
    r#""typ":"JWT""#,
    r#""typ":"application/at+jwt""#,
    r#""typ":null"#,
    r#""kid":"a""#,
    r#""kid":1"#,
    r#""crit":["b64"]"#,
    r#""b64":false"#,
    r#""jwk":{}"#,
    r#""x":{"y":[1]}"#,
];
const PAYLOAD: &[&str] =
    &[r#""sub":"a""#, r#""exp":1"#, r#""exp":"x""#, r#""nbf":1e30"#, r#""aud":["a","b"]"#, r#""a":1.5"#];

fn object(members: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(prop::sample::select(members), 0..4).prop_map(|members| format!("{{{}}}", members.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_readers_agree(
        algorithm in 0..4u8, mode in 1..3u8, first in 0..4usize, header in object(HEADER), payload in object(PAYLOAD),
        edits in vec((any::<u8>(), any::<u8>(), "[A-Za-z0-9_=.-]"), 0..3),
    ) {
        // Three times in four the header starts with the algorithm of the key.
        let names = ["ES256", "EdDSA", "RS256", "PS256"];
        let name = names[if first < 3 { usize::from(algorithm) } else { first }];
        let header = header.replacen('{', &format!(r#"{{"alg":"{name}","#), 1).replace(",}", "}");
        let edits: Vec<u8> = edits.iter().flat_map(|(high, low, letter)| [*high, *low, letter.as_bytes()[0]]).collect();
        jose_oracle(&[&[algorithm, mode], header.as_bytes(), b"\n", payload.as_bytes(), b"\n", &edits].concat());
    }
}
