//! Journeys: many clients, people, browsers, codes and tokens; right and wrong requests; and a clock that moves.

use crate::model::Reference;
use crate::policy::{ALIAS, CLIENTS, PEOPLE, Policy, RESOURCES, RefreshRule, SCOPES, SERVER};
use crate::step::{Ask, Bend, Challenge, Kind, Pick, Proof, Step, Verifier};
use crate::variation::{VARIATIONS, Variation};
use lockstep_conformance::world::BEGINNING;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest_state_machine::ReferenceStateMachine;

/// Journeys against the model with this variation; 0 is none.
pub struct Journeys<const VARIATION: usize>;

impl<const VARIATION: usize> ReferenceStateMachine for Journeys<VARIATION> {
    type State = Reference;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Reference> {
        let variation = VARIATION.checked_sub(1).map_or(Variation::None, |place| VARIATIONS[place]);
        policy().prop_map(move |policy| Reference::new(policy, variation, BEGINNING)).boxed()
    }

    fn transitions(state: &Reference) -> BoxedStrategy<Step> {
        step(state)
    }

    fn apply(mut state: Reference, step: &Step) -> Reference {
        state.take(step);
        state
    }
}

/// What an operator may choose. Short lives, so that journeys outlive them.
pub fn policy() -> impl Strategy<Value = Policy> {
    let lives = (select(vec![60, 10, 600]), select(vec![600, 30]), select(vec![3600, 20, 300]));
    let longer = (select(vec![86_400, 120, 4000]), select(vec![1_000_000, 7200, 200]));
    let windows = (select(vec![5, 0, 60]), select(vec![30, 0, 60, 5]), option::of(0u64..3));
    let rules = (
        any::<bool>(),
        prop_oneof![
            4 => Just(RefreshRule::GrantTypes), 2 => Just(RefreshRule::OfflineAccess), 1 => Just(RefreshRule::Never)
        ],
        any::<bool>(),
    );
    (lives, longer, windows, rules).prop_map(|(lives, longer, windows, rules)| Policy {
        code_seconds: lives.0,
        ticket_seconds: lives.1,
        access_seconds: lives.2,
        idle_seconds: longer.0,
        absolute_seconds: longer.1,
        code_race_seconds: windows.0,
        retry_window_seconds: windows.1,
        overlap_budget: windows.2,
        two_resources: rules.0,
        refresh: rules.1,
        refuse_unknown_scopes: rules.2,
    })
}

/// What may happen next. Most of it goes on with what there is.
fn step(state: &Reference) -> BoxedStrategy<Step> {
    let pages = if state.tickets.is_empty() { 0 } else { 6 };
    let tokens = |kind, weight| if state.tokens.iter().any(|token| token.kind == kind) { weight } else { 1 };
    prop_oneof![
        4 => wait(),
        5 => authorize(state),
        pages => decide(state),
        tokens(Kind::Code, 6) => redeem(),
        tokens(Kind::Refresh, 9) => refresh(),
        tokens(Kind::Access, 2) => revoke(),
        tokens(Kind::Access, 3) => introspect(),
        tokens(Kind::Access, 5) => check(),
        1 => (0..PEOPLE.len()).prop_map(Step::SignOut),
        1 => ((0..PEOPLE.len()), pick(Kind::Access)).prop_map(|(person, token)| Step::EndGrant { person, token }),
    ]
    .boxed()
}

/// Mostly the edges of the lives and windows that policies name.
fn wait() -> BoxedStrategy<Step> {
    let edges = vec![1, 4, 5, 6, 9, 10, 19, 20, 29, 30, 31, 59, 60, 61, 120, 200, 300, 600, 3600, 4000, 7200, 86_400];
    prop_oneof![6 => select(edges).prop_map(|seconds: i64| seconds), 1 => 0..40i64, 1 => -8000..0i64, 1 => -70..0i64]
        .prop_map(Step::Wait)
        .boxed()
}

/// Mostly the first of these.
fn mostly<T: Clone + std::fmt::Debug + 'static>(usual: T, others: Vec<T>) -> BoxedStrategy<T> {
    prop_oneof![12 => Just(usual), 1 => select(others)].boxed()
}

fn authorize(state: &Reference) -> BoxedStrategy<Step> {
    let resources = state.policy.resources();
    (0..CLIENTS.len())
        .prop_flat_map(move |client| {
            let own = select(CLIENTS[client].redirects).prop_map(|one| Some(one.to_owned()));
            let redirect = prop_oneof![10 => own, 2 => redirect().prop_map(Some), 1 => Just(None)];
            let person = prop_oneof![9 => (0..PEOPLE.len()).prop_map(Some), 1 => Just(None)];
            (Just(client), 0..2usize, person, redirect)
        })
        .prop_flat_map(move |(client, browser, person, redirect)| {
            let code = Some("code".to_owned());
            let types = [None, Some("token"), Some("Code"), Some("code token"), Some("")];
            let types = types.into_iter().map(|one| one.map(str::to_owned)).collect();
            let challenges = vec![Challenge::Missing, Challenge::NoMethod, Challenge::Plain, Challenge::Short];
            let twice = ["client_id", "redirect_uri", "state", "scope", "code_challenge", "response_type"];
            let details = (scope(), resource(resources), state_value());
            let form = (
                mostly(code, types),
                mostly(Challenge::Right, challenges),
                prop_oneof![20 => Just(None), 1 => select(twice.to_vec()).prop_map(Some)],
            );
            (details, form).prop_map(move |((scope, resource, state), (response_type, challenge, twice))| {
                let redirect = redirect.clone();
                Step::Authorize(Ask {
                    browser,
                    person,
                    client,
                    redirect,
                    response_type,
                    scope,
                    resource,
                    challenge,
                    state,
                    twice,
                })
            })
        })
        .boxed()
}

fn state_value() -> BoxedStrategy<Option<String>> {
    let long = [2048, 2049].map(|length| Some("s".repeat(length))).to_vec();
    let odd =
        ["", "&code=evil", "a#b", "%25", "a b+c", "\u{1f600}", "\r\nX: 1"].map(|one| Some(one.to_owned())).to_vec();
    prop_oneof![6 => Just(Some("s1".to_owned())), 2 => Just(None), 2 => select(odd), 1 => select(long)].boxed()
}

/// Redirects that look like registered ones.
pub fn redirect() -> BoxedStrategy<String> {
    let registered: Vec<&str> = CLIENTS.iter().flat_map(|card| card.redirects).copied().collect();
    let endings = ["/x", "/../cb", "?x=1", "#", "/", "%2F", "&code=x", " ", "\\@evil.example", "."];
    let ports = ["1", "65535", "65536", "0", "080", "", "+80", "8080", "9999", "80@evil.example", "x"];
    let hosts = [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "127.1",
        "2130706433",
        "[0:0:0:0:0:0:0:1]",
        "127.0.0.2",
        "localhost.evil.example",
        "127.0.0.1.",
        "0.0.0.0",
        "LOCALHOST",
        "user@127.0.0.1",
        "client.example",
    ];
    let schemes = ["http", "https", "HTTP", "ftp"];
    let loopback = (
        select(schemes.to_vec()),
        select(hosts.to_vec()),
        option::of(select(ports.to_vec())),
        select(vec!["/cb", "/cb2", "", "/cb?x=1"]),
    )
        .prop_map(|(scheme, host, port, path)| match port {
            Some(port) => format!("{scheme}://{host}:{port}{path}"),
            None => format!("{scheme}://{host}{path}"),
        });
    let spelled = select(vec![
        "https://CLIENT.example/cb",
        "HTTPS://client.example/cb",
        "https://client.example:443/cb",
        "https://client.example./cb",
        "//client.example/cb",
        "/cb",
        "javascript:alert(1)",
        "https://evil.example/cb",
        "https://client.example@evil.example/cb",
        "com.example.desk:/cb/",
        "COM.example.desk:/cb",
        "com.example.desk:cb",
        "",
    ]);
    let longer =
        (select(registered.clone()), select(endings.to_vec())).prop_map(|(one, ending)| format!("{one}{ending}"));
    prop_oneof![2 => select(registered).prop_map(str::to_owned), 4 => loopback, 1 => spelled.prop_map(str::to_owned), 1 => longer]
        .boxed()
}

fn scope() -> BoxedStrategy<Option<String>> {
    let names: Vec<&str> = SCOPES.iter().map(|scope| scope.name).collect();
    let several = subsequence(names, 1..=SCOPES.len()).prop_shuffle().prop_map(|names| names.join(" "));
    let odd = [
        "",
        "unknown:x",
        "notes:read unknown:x",
        "a\"b",
        "notes:read  notes:write",
        "notes:rea",
        "NOTES:READ",
        "\u{e9}",
    ];
    prop_oneof![6 => several.prop_map(Some), 3 => Just(None), 2 => select(odd.to_vec()).prop_map(|one| Some(one.to_owned()))]
        .boxed()
}

fn resource(configured: &'static [&'static str]) -> BoxedStrategy<Vec<String>> {
    let own = |one: &&str| (*one).to_owned();
    let odd = [
        "https://MCP.example/mcp",
        "HTTPS://mcp.example/mcp",
        "https://mcp.example/mcp/",
        "https://mcp.example/MCP",
        "https://mcp.example/mcp#f",
        "https://mcp.example",
        "/mcp",
        "mcp.example",
        "https://unknown.example/",
        ALIAS,
        "https://old.example/api/",
        "https://API.example/",
        "https://api.example/",
        "https://api.example//",
        "https://mcp.example:443/mcp",
    ];
    let both = RESOURCES.iter().map(own).collect::<Vec<String>>();
    prop_oneof![
        8 => select(configured).prop_map(|one| vec![one.to_owned()]),
        3 => Just(Vec::new()),
        2 => select(odd.to_vec()).prop_map(|one| vec![one.to_owned()]),
        1 => Just(both),
    ]
    .boxed()
}

fn decide(state: &Reference) -> BoxedStrategy<Step> {
    let optional: Vec<&str> = SCOPES.iter().filter(|scope| scope.optional).map(|scope| scope.name).collect();
    let owners: Vec<(usize, usize)> = state.tickets.iter().rev().map(|ticket| ticket.owner()).collect();
    let page = prop_oneof![5 => Just(0usize), 2 => 0..owners.len()];
    let stray = (0..2usize, 0..PEOPLE.len());
    (page, option::weighted(0.1, stray), prop::bool::weighted(0.9), subsequence(optional, 0..=2), any::<bool>())
        .prop_map(move |(page, stray, approve, ticked, all)| {
            let (browser, person) = stray.unwrap_or(owners[page]);
            let ticked = if all { vec!["notes:write", "profile"] } else { ticked };
            Step::Decide { page, browser, person, approve, ticked }
        })
        .boxed()
}

fn pick(kind: Kind) -> BoxedStrategy<Pick> {
    let others = [Kind::Code, Kind::Access, Kind::Refresh].to_vec();
    let kinds = prop_oneof![14 => Just(kind), 1 => select(others)];
    let back = prop_oneof![8 => Just(0usize), 4 => Just(1usize), 3 => 0..12usize];
    let bends = prop_oneof![
        30 => Just(Bend::Straight),
        1 => (0..300usize).prop_map(Bend::Flipped),
        1 => select(vec![Bend::Shortened, Bend::Lengthened, Bend::Invented]),
    ];
    (kinds, back, bends).prop_map(|(kind, back, bend)| Pick { kind, back, bend }).boxed()
}

fn sender() -> BoxedStrategy<Option<usize>> {
    prop_oneof![12 => Just(None), 1 => (0..CLIENTS.len()).prop_map(Some)].boxed()
}

fn proof() -> BoxedStrategy<Proof> {
    mostly(Proof::Right, vec![Proof::Posted, Proof::NameAlone, Proof::Wrong, Proof::Nameless])
}

fn sent_resource() -> BoxedStrategy<Vec<String>> {
    prop_oneof![4 => Just(Vec::new()), 2 => resource(&RESOURCES)].boxed()
}

fn redeem() -> BoxedStrategy<Step> {
    let verifier = mostly(Verifier::Right, vec![Verifier::Wrong, Verifier::Short, Verifier::Missing]);
    let sent = prop_oneof![6 => Just(Some(None)), 3 => Just(None), 1 => redirect().prop_map(|one| Some(Some(one)))];
    let twice =
        prop_oneof![25 => Just(None), 1 => select(vec!["code", "code_verifier", "redirect_uri"]).prop_map(Some)];
    (pick(Kind::Code), sender(), proof(), verifier, sent, sent_resource(), twice)
        .prop_map(|(code, client, proof, verifier, redirect, resource, twice)| Step::Redeem {
            code,
            client,
            proof,
            verifier,
            redirect,
            resource,
            twice,
        })
        .boxed()
}

fn refresh() -> BoxedStrategy<Step> {
    let narrower = prop_oneof![3 => Just(None), 1 => scope()];
    let twice = prop_oneof![25 => Just(None), 1 => select(vec!["refresh_token", "scope"]).prop_map(Some)];
    (pick(Kind::Refresh), sender(), proof(), narrower, sent_resource(), twice)
        .prop_map(|(token, client, proof, scope, resource, twice)| Step::Refresh {
            token,
            client,
            proof,
            scope,
            resource,
            twice,
        })
        .boxed()
}

fn revoke() -> BoxedStrategy<Step> {
    let token = prop_oneof![3 => pick(Kind::Access), 1 => pick(Kind::Refresh)];
    (token, sender(), proof()).prop_map(|(token, client, proof)| Step::Revoke { token, client, proof }).boxed()
}

fn introspect() -> BoxedStrategy<Step> {
    let caller = prop_oneof![8 => Just(SERVER), 1 => 0..CLIENTS.len()];
    (pick(Kind::Access), caller, proof())
        .prop_map(|(token, client, proof)| Step::Introspect { token, client, proof })
        .boxed()
}

fn check() -> BoxedStrategy<Step> {
    let names: Vec<&'static str> =
        SCOPES.iter().map(|scope| scope.name).filter(|name| *name != "offline_access").collect();
    let needs = subsequence(names, 0..=2);
    (option::weighted(0.95, pick(Kind::Access)), 0..2usize, needs)
        .prop_map(|(token, resource, needs)| Step::Check { token, resource, needs })
        .boxed()
}
