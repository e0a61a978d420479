//! The properties of the parsed values, on random bytes and on texts that are nearly valid.

use lockstep_conformance::values::{
    every_property, pkce_property, redirect_property, resource_property, scope_property, uri_property,
};
use proptest::collection::vec;
use proptest::prelude::*;

const SCHEMES: &str = "(https|http|https|http|HTTPS|Http|ws|wss|ftp|file|cursor|vscode|app\\.x|com\\.example\\.app|javascript|data|[a-z][a-z0-9+.-]{0,4})";
const HOSTS: &str = "(localhost|127\\.0\\.0\\.1|\\[::1\\]|h|H|h\\.example|mcp\\.Example|127\\.1|0x7f\\.1|0177\\.0\\.0\\.1|1\\.2\\.3|[0-9]{1,3}(\\.[0-9]{1,3}){1,4}|\\[[0-9a-f:.]{2,12}\\]|\\[[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}\\]|[a-z0-9._-]{1,8}|xn--[a-z0-9-]{1,6}|%[0-9a-f]{2}|u@h|)";
const TAILS: &str = "(|:|:0|:1|:80|:443|:21|:8443|:65535|:65536|:080|:[0-9]{1,6})((/|/\\.|/\\.\\.|/;|;|%2[ef]|%5c|%[0-9A-F]{2}|[a-zA-Z0-9._~!$&'()*+,;=:@-]|\\[|\\\\| |é){0,6})(|\\?|\\?x=1|\\?code=x|\\?[a-z=&%25;'+/?:@]{0,6})(|#|#f)?";

fn uri() -> impl Strategy<Value = String> {
    let with_authority = (SCHEMES, HOSTS, TAILS).prop_map(|(scheme, host, tail)| format!("{scheme}://{host}{tail}"));
    let without_authority =
        (SCHEMES, "/?[a-z0-9./:@;=()%-]{0,8}(\\?[a-z=&]{0,6})?").prop_map(|(scheme, tail)| format!("{scheme}:{tail}"));
    let good = (
        "(https|http|ws|cursor|app\\.x)",
        "(localhost|[a-z0-9_]{1,4}(\\.[a-z0-9-]{1,4}){0,2}|[12]?[0-9](\\.[12]?[0-9]){3}|\\[[1-9a-f](:[0-9a-f]){0,4}::[1-9a-f]\\])",
        "(:[1-9][0-9]{1,3})?(/[a-zA-Z0-9.;%2F~!$&'()*+,=:@-]{0,4}){0,3}(\\?[a-z=&+;/?:@~!$%2F]{0,6})?",
    )
        .prop_map(|(scheme, host, tail)| format!("{scheme}://{host}{tail}"));
    prop_oneof![3 => with_authority, 1 => without_authority, 4 => good]
}

/// A URI that is accepted nearly always, and the same one with a small change.
fn pair() -> impl Strategy<Value = (String, String)> {
    let good = "(https://(h|mcp\\.example|127\\.0\\.0\\.1:5)|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[1-9][0-9]{3})?|cursor://a\\.b)(/[a-z/]{0,3})?(\\?[a-b=&+]{0,4})?";
    let change = prop_oneof![
        Just((String::new(), String::new())),
        ("(/|\\?|:|h|e|a)", "(/|//|/\\./|H|E|A|:1|:99|@|%61|\\?|#|)"),
        Just(("://".to_owned(), "://u@".to_owned())),
        Just(("http".to_owned(), "HTTP".to_owned())),
        (
            "(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]{4})?",
            "(localhost|127\\.0\\.0\\.1|\\[::1\\]|127\\.1)(:[0-9]{1,5})?"
        ),
    ];
    (good, change, "(|/)").prop_map(|(good, (from, to), tail): (String, (String, String), String)| {
        let changed = if from.is_empty() { good.clone() } else { good.replacen(&from, &to, 1) };
        (good, changed + &tail)
    })
}

/// The same loopback redirect on two ports.
fn ports() -> impl Strategy<Value = (String, String)> {
    let port = || prop_oneof![Just(String::new()), (1u32..=70000).prop_map(|port| format!(":{port}"))];
    ("(localhost|127\\.0\\.0\\.1|\\[::1\\])", port(), port(), "(/[a-z]{0,2})?(\\?[a-b=]{0,2})?")
        .prop_map(|(host, one, two, tail)| (format!("http://{host}{one}{tail}"), format!("http://{host}{two}{tail}")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_property_holds_on_random_bytes(data in vec(any::<u8>(), 0..200)) {
        every_property(&data);
    }

    #[test]
    fn every_property_holds_on_random_text(text in "\\PC{0,60}\n\\PC{0,60}") {
        every_property(text.as_bytes());
    }

    #[test]
    fn the_uri_property_holds_on_nearly_valid_uris(text in uri()) {
        uri_property(text.as_bytes());
    }

    #[test]
    fn the_redirect_property_holds_on_nearly_equal_uris((one, two) in prop_oneof![pair(), ports()], value in "\\PC{0,9}") {
        redirect_property(format!("{one}\n{two}\n{value}").as_bytes());
    }

    #[test]
    fn the_redirect_property_holds_on_nearly_valid_uris(one in uri(), value in any::<String>()) {
        redirect_property(format!("{one}\n{one}\n{value}").as_bytes());
    }

    #[test]
    fn the_resource_property_holds_on_nearly_equal_uris((one, two) in pair()) {
        resource_property(format!("{one}\n{two}").as_bytes());
    }

    #[test]
    fn the_scope_property_holds_on_small_worlds(text in "([a-f] {0,2}){0,6}\n([a-f] ){0,6}\n(([a-f] ){0,4}\n){0,6}") {
        scope_property(text.as_bytes());
    }

    #[test]
    fn the_scope_property_holds_on_many_names(text in "([a-z!]{1,2} ){0,70}\n([a-z!]{1,2} ){0,70}\n") {
        scope_property(text.as_bytes());
    }

    #[test]
    fn the_pkce_property_holds_near_the_limits(text in "[A-Za-z0-9_-]{42,44}\n[A-Za-z0-9._~-]{41,45}([A-Za-z0-9._~+-]{83,86})?") {
        pkce_property(text.as_bytes());
    }
}

#[test]
fn the_strategies_reach_what_is_accepted() {
    use lockstep_oauth::{redirect, resource::ResourceTable, uri::Uri};
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut uris, mut moved, mut found) = (0, 0, 0);
    for _ in 0..500 {
        let text = uri().new_tree(&mut runner).map(|tree| tree.current()).unwrap_or_default();
        uris += usize::from(Uri::parse(&text).is_ok());
        let (one, two) = ports().new_tree(&mut runner).map(|tree| tree.current()).unwrap_or_default();
        let registered = redirect::RedirectUri::parse(&one, &redirect::RedirectPolicy::default());
        moved += usize::from(
            registered.is_ok_and(|one_uri| one != two && redirect::match_registered(&two, &[one_uri]).is_some()),
        );
        let (one, two) = pair().new_tree(&mut runner).map(|tree| tree.current()).unwrap_or_default();
        let table = ResourceTable::new(vec![(one.clone(), vec![])]);
        found += usize::from(table.is_ok_and(|table| one != two && table.find(&two).is_some()));
    }
    assert!(uris > 50 && moved > 100 && found > 5, "{uris} {moved} {found}");
}
