//! The exported generators and invariants: they hold of the core, they make what they say, and they notice what is wrong.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use lockstep_conformance::world::World;
use lockstep_oauth::generators::invariants::{Subject, is_redirect, is_sound, is_token_answer, walk};
use lockstep_oauth::generators::journeys::{Action, Journey, Wrong, journey};
use lockstep_oauth::generators::requests::{self, request, token_request};
use lockstep_oauth::generators::{Target, from_bytes, objects, records};
use lockstep_oauth::grant::{Grant, GrantState};
use lockstep_oauth::http::{HttpRequest, HttpResponse};
use lockstep_oauth::jose::JwkSet;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// The core in this process, whose clock waits at no cost; perhaps with something between it and the tester.
struct Core {
    world: World,
    bent: Bent,
}

/// What is wrong with a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bent {
    Nothing,
    LosesTheIssuer,
    ChangesTheRedirect,
    AddsNull,
    IsCached,
    Fails,
    SwallowsRevocations,
    ForgivesTheVerifier,
    ForgivesTheClient,
    ForgetsTheWindow,
    NeverLetsIn,
}

impl Core {
    fn new(bent: Bent) -> Self {
        Self { world: World::new(), bent }
    }

    fn bend(&self, mut response: HttpResponse) -> HttpResponse {
        let is_tokens = response.status == 200 && response.body.starts_with(b"{\"access_token");
        match self.bent {
            Bent::LosesTheIssuer => {
                for (name, value) in &mut response.headers {
                    if name.eq_ignore_ascii_case("location") {
                        *value = value.replace("iss=", "is=");
                    }
                }
            }
            Bent::ChangesTheRedirect => {
                for (name, value) in &mut response.headers {
                    if name.eq_ignore_ascii_case("location") {
                        *value = value.replace("/cb?", "/cb/?");
                    }
                }
            }
            Bent::AddsNull if is_tokens => {
                response.body.truncate(response.body.len() - 1);
                response.body.extend_from_slice(b",\"id_token\":null}");
            }
            Bent::IsCached => response.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("cache-control")),
            Bent::Fails if response.status == 400 => response.status = 500,
            _ => {}
        }
        response
    }
}

fn replaced(request: &HttpRequest, from: &str, to: &str) -> HttpRequest {
    let body = String::from_utf8_lossy(&request.body).replace(from, to).into_bytes();
    HttpRequest { body, ..request.clone() }
}

impl Subject for Core {
    fn send(&mut self, request: &HttpRequest) -> HttpResponse {
        let request = match self.bent {
            Bent::SwallowsRevocations if request.path == "/revoke" => return HttpResponse::empty(200),
            Bent::ForgivesTheVerifier => replaced(request, &"wrong-verifier-".repeat(4), requests::VERIFIER),
            Bent::ForgivesTheClient => replaced(request, "client_id=other", "client_id=web"),
            Bent::ForgetsTheWindow => {
                self.world.wait(61);
                request.clone()
            }
            _ => request.clone(),
        };
        let response = self.world.http(request).response;
        self.bend(response)
    }

    fn approve(&mut self, request: &HttpRequest) -> HttpResponse {
        let page = self.world.http(request.clone());
        let response =
            if page.response.status == 200 { self.world.consent(&page, &[]).response } else { page.response };
        self.bend(response)
    }

    fn honours(&mut self, access_token: &str) -> bool {
        self.bent != Bent::NeverLetsIn && self.world.passes(access_token)
    }

    fn wait(&mut self, seconds: u64) {
        self.world.wait(seconds);
    }

    fn milliseconds(&mut self) -> u64 {
        // A clock that does not see the delay that a bent subject adds.
        if self.bent == Bent::ForgetsTheWindow { 0 } else { self.world.now * 1000 }
    }
}

/// Journeys that reach past the window of 30 seconds.
fn long_journey() -> impl Strategy<Value = Journey> {
    journey(&Target::default(), 16).prop_map(|mut journey| {
        for action in &mut journey.0 {
            if let Action::Wait(seconds) = action {
                *seconds *= 11;
            }
        }
        journey
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_journey_holds(journey in long_journey()) {
        let walked = walk(&mut Core::new(Bent::Nothing), &Target::default(), &journey);
        prop_assert!(walked.is_ok(), "{}", walked.unwrap_err());
    }

    #[test]
    fn no_request_does_harm(request in request(&Target::default())) {
        let response = Core::new(Bent::Nothing).send(&request);
        prop_assert_eq!(is_sound(&response), Ok(()));
        if request.path == "/token" && request.method == "POST" {
            prop_assert_eq!(is_token_answer(&response), Ok(()));
        }
    }

    #[test]
    fn a_token_of_another_kind_or_tampered_with_gets_nothing(
        first in any::<[u8; 64]>(),
        second in any::<[u8; 64]>(),
    ) {
        let mut core = Core::new(Bent::Nothing);
        let tokens = core.world.connect();
        let kept = [tokens.access.clone(), core.world.code(&[])];
        let held = [tokens.refresh.clone(), kept[0].clone(), kept[1].clone()];
        let tampered = from_bytes(&objects::tampered(tokens.refresh.clone()), &first).unwrap();
        prop_assert_ne!(&tampered, &tokens.refresh);
        let refresh = requests::refresh_parameters(&Target::default(), &tampered);
        prop_assert_eq!(core.send(&requests::post("/token", &refresh)).status, 400);
        prop_assert!(!core.world.passes(&tampered) && !core.world.passes(&tokens.refresh));
        // Whatever is tried with them, it is answered as the standard says.
        let request = from_bytes(&token_request(&Target::default(), &held), &second).unwrap();
        prop_assert_eq!(is_sound(&core.send(&request)), Ok(()));
    }
}

/// How often a strategy's values have a property, in 400 draws from a fixed seed.
fn share<S: Strategy>(strategy: &S, property: impl Fn(&S::Value) -> bool) -> usize {
    let mut runner = TestRunner::deterministic();
    (0..400).filter(|_| property(&strategy.new_tree(&mut runner).unwrap().current())).count()
}

#[test]
fn the_generators_make_what_they_say() {
    let grant = records::grant();
    for state in [GrantState::Granted, GrantState::Live, GrantState::Revoked] {
        assert!(share(&grant, |grant| grant.state == state) > 40, "{state:?}");
    }
    assert!(share(&grant, |grant| grant.generation.retried) > 40);
    let decoded = share(&records::hostile_bytes(), |bytes| Grant::decode(bytes).is_some());
    assert!((4..200).contains(&decoded), "{decoded} of the hostile records are one");

    let target = Target::default();
    let held = [requests::VERIFIER.to_owned()];
    let status = |request: &HttpRequest| Core::new(Bent::Nothing).send(request).status;
    let opened = share(&requests::authorization_request(&target), |request| status(request) == 200);
    assert!((60..300).contains(&opened), "{opened} authorization requests open the page");
    let posts = share(&token_request(&target, &held), |request| request.method == "POST");
    assert!((300..400).contains(&posts), "{posts} token requests are posted");
    let registered = share(&objects::registration(), |body| body.0["redirect_uris"][0] == "https://app.example/cb");
    assert!((100..390).contains(&registered), "{registered} registrations keep their redirects");
    let sets = share(&objects::jwk_set(), |set| JwkSet::parse(set.0.to_string().as_bytes()).is_ok());
    assert!(sets > 100, "{sets} sets are read");
    let alone = share(&objects::jws(), |token| token.0.split('.').count() == 3);
    assert!(alone > 200, "{alone} tokens have three parts");
}

#[test]
fn the_same_bytes_make_the_same_journey() {
    let strategy = journey(&Target::default(), 12);
    let made = from_bytes(&strategy, &[3; 2048]).unwrap();
    assert_eq!(Some(&made), from_bytes(&strategy, &[3; 2048]).as_ref());
    assert!((0..40).any(|byte| from_bytes(&strategy, &[byte; 2048]).is_some_and(|other| other != made)));
}

#[test]
fn whatever_is_bent_is_noticed() {
    let journey = Journey(vec![
        Action::Approve,
        Action::Redeem(Some(Wrong::Verifier)),
        Action::Redeem(Some(Wrong::Client)),
        Action::Redeem(None),
        Action::Use,
        Action::Refresh(0),
        Action::Refresh(1),
        Action::RefreshByAnother,
        Action::Revoke,
    ]);
    let target = Target::default();
    assert_eq!(walk(&mut Core::new(Bent::Nothing), &target, &journey), Ok(()));
    for (bent, invariant) in [
        (Bent::LosesTheIssuer, "the answer names its issuer"),
        (Bent::ChangesTheRedirect, "the redirect is the registered one, byte for byte"),
        (Bent::AddsNull, "no member is null"),
        (Bent::IsCached, "no answer of the token endpoint is cached"),
        (Bent::Fails, "no request breaks the server"),
        (Bent::SwallowsRevocations, "revocation is final"),
        (Bent::ForgivesTheVerifier, "a wrong verifier, client or redirect gets nothing"),
        (Bent::ForgivesTheClient, "a wrong verifier, client or redirect gets nothing"),
        (Bent::NeverLetsIn, "an access token lives as long as its grant"),
    ] {
        let broken = walk(&mut Core::new(bent), &target, &journey).unwrap_err();
        assert_eq!(broken.invariant, invariant, "{bent:?}: {broken}");
        assert!(!broken.story.is_empty());
    }
    // The code's minute is over before it is redeemed here, so this one needs a journey of its own.
    let short = Journey(vec![Action::Approve, Action::Redeem(None), Action::Refresh(0), Action::Refresh(1)]);
    let mut core = Core::new(Bent::ForgetsTheWindow);
    core.world.reconfigure(|config| config["code_seconds"] = 120.into());
    assert_eq!(walk(&mut core, &target, &short).unwrap_err().invariant, "a retry inside the window is answered");
}

#[test]
fn an_answer_is_looked_at_as_a_whole() {
    let target = Target::default();
    let at = |location: &str| HttpResponse::empty(303).with("Location", location);
    let good = "https://client.example/cb?code=c&state=s&iss=https%3A%2F%2Fas.example";
    assert_eq!(is_redirect(&target, "s", &at(good)).as_deref(), Ok("c"));
    for wrong in [
        "https://client.example/cb?code=c&code=d&state=s&iss=https%3A%2F%2Fas.example",
        "https://client.example/cb?code=c&state=s&error=x&iss=https%3A%2F%2Fas.example",
        "https://client.example/cb#code=c&state=s&iss=https%3A%2F%2Fas.example",
        "https://client.example/cb2?code=c&state=s&iss=https%3A%2F%2Fas.example",
        "https://client.example/cb?code=c&state=t&iss=https%3A%2F%2Fas.example",
        "https://client.example/cb?code=c&state=s&iss=https%3A%2F%2Fother.example",
        "https://client.example/cb?state=s&iss=https%3A%2F%2Fas.example",
    ] {
        assert!(is_redirect(&target, "s", &at(wrong)).is_err(), "{wrong}");
    }
    let plain = HttpResponse { body: b"oops".to_vec(), ..HttpResponse::empty(200) };
    assert!(is_sound(&plain.with("Content-Type", "application/json")).is_err());
}
