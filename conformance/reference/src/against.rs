//! The model and the core, side by side: the same steps, and the first answer in which they differ.

use crate::model::Reference;
use crate::outcome::{Errors, Holder, Outcome};
use crate::policy::{
    ALIAS, CLIENTS, ISSUER, PEOPLE, Policy, RESOURCES, RefreshRule, SCOPES, SECRET, SERVER, STRANGER, Scopes,
};
use crate::step::{Ask, Bend, Challenge, Pick, Proof, Step, Verifier};
use crate::tell::tell;
use lockstep_conformance::fixture::{self, Draft, basic, hidden, redirected};
use lockstep_conformance::world::{BEGINNING, World};
use lockstep_oauth::authorization_server::Answer;
use lockstep_oauth::authorization_server::operations::{Operated, Operation};
use lockstep_oauth::crypto::{base64url, sha256};
use lockstep_oauth::protected_resource::{CheckRequest, Checked};
use lockstep_oauth::question::Decision;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The operator's policy as the core reads it.
pub fn config(policy: &Policy) -> Value {
    let scopes: Vec<Value> = SCOPES
        .iter()
        .map(|scope| {
            let (name, optional) = (scope.name, scope.optional);
            json!({ "name": name, "optional": optional, "default": scope.default, "implies": scope.implies })
        })
        .collect();
    let clients = CLIENTS.iter().enumerate().filter(|(place, _)| *place != STRANGER).map(|(place, card)| {
        let mut client = json!({ "client_id": card.id, "redirect_uris": card.redirects });
        if let Some(secret) = card.secret {
            fixture::put(&mut client, "client_secret", json!(secret));
        }
        if !card.refreshes {
            fixture::put(&mut client, "grant_types", json!(["authorization_code"]));
        }
        fixture::put(&mut client, "introspects", json!(place == SERVER));
        client
    });
    let mut config = json!({
        "issuer": ISSUER,
        "resources": [{ "resource": RESOURCES[0] }],
        "scopes": scopes,
        "clients": clients.collect::<Vec<Value>>(),
        "code_seconds": policy.code_seconds,
        "ticket_seconds": policy.ticket_seconds,
        "access_seconds": policy.access_seconds,
        "idle_seconds": policy.idle_seconds,
        "absolute_seconds": policy.absolute_seconds,
        "code_race_seconds": policy.code_race_seconds,
        "retry_window_seconds": policy.retry_window_seconds,
        "unknown_scopes": if policy.refuse_unknown_scopes { "refuse" } else { "drop" },
        "refresh": match policy.refresh {
            RefreshRule::GrantTypes => "grant_types",
            RefreshRule::OfflineAccess => "offline_access",
            RefreshRule::Never => "never",
        },
    });
    if let Some(budget) = policy.overlap_budget {
        fixture::put(&mut config, "overlap_budget", json!(budget));
    }
    if policy.two_resources {
        let both = json!([{ "resource": RESOURCES[0] }, { "resource": RESOURCES[1], "aliases": [ALIAS] }]);
        fixture::put(&mut config, "resources", both);
    }
    config
}

/// What the core answered.
#[derive(Debug)]
enum Seen {
    Nothing,
    Http(Answer),
    Checked(Checked),
    Operated(Operated),
}

/// The core with everything that has been seen of it.
pub struct SideBySide {
    world: World,
    cookies: [BTreeMap<String, String>; 2],
    tokens: Vec<String>,
    forms: Vec<(String, String)>,
    grants: Vec<String>,
    /// What happened, as lines.
    pub story: Vec<String>,
    /// The core's refusals and events so far: what the journeys have reached.
    pub reached: BTreeSet<String>,
}

impl SideBySide {
    /// A fresh core with this policy.
    pub fn new(policy: &Policy) -> Self {
        Self {
            world: World::of(config(policy), fixture::keys()),
            cookies: Default::default(),
            tokens: Vec::new(),
            forms: Vec::new(),
            grants: Vec::new(),
            story: vec![format!("{policy:?}")],
            reached: BTreeSet::new(),
        }
    }

    /// Takes a step with the core, and compares it with the model, which has taken it.
    ///
    /// # Errors
    /// What differs.
    pub fn take(&mut self, before: &Reference, after: &Reference, step: &Step) -> Result<(), String> {
        let seen = self.send(before, step);
        let events = match &seen {
            Seen::Http(answer) | Seen::Checked(Checked::Refused(answer)) => answer.events.as_slice(),
            _ => &[],
        };
        self.reached.extend(events.iter().map(|event| event.id.clone()));
        let compared = self.compare(after, &seen);
        let since = i128::from(self.world.now) - i128::from(BEGINNING);
        self.story.push(format!("{since:>6} s  {}", tell(before, after, step)));
        compared.map_err(|difference| {
            let shown = match &seen {
                Seen::Http(answer) | Seen::Checked(Checked::Refused(answer)) => {
                    let body = String::from_utf8_lossy(&answer.response.body);
                    let body = if body.starts_with("<!") { "a page".into() } else { body };
                    let location = answer.response.header("location").unwrap_or_default();
                    format!("{} {:?} {location} {body}", answer.response.status, answer.refusal)
                }
                other => format!("{other:?}"),
            };
            let story = self.story.join("\n");
            format!("{story}\n  the core: {shown}\n  differs:  {difference}")
        })
    }

    // --- Requests -----------------------------------------------------------------------------------------------------

    fn send(&mut self, before: &Reference, step: &Step) -> Seen {
        match step {
            Step::Wait(seconds) => {
                self.world.now = self.world.now.saturating_add_signed(*seconds);
                Seen::Nothing
            }
            Step::Authorize(ask) => self.authorize(ask, before.tickets.len()),
            Step::Decide { page, browser, person, approve, ticked } => match before.page(*page) {
                None => Seen::Nothing,
                Some(page) => self.decide(page, *browser, *person, *approve, ticked),
            },
            Step::Redeem { code, client, proof, verifier, redirect, resource, twice } => {
                let mut form =
                    vec![("grant_type", "authorization_code".to_owned()), ("code", self.string(before, code))];
                let own = self.verifier_of(before, code);
                match verifier {
                    Verifier::Right => form.push(("code_verifier", own)),
                    Verifier::Wrong => form.push(("code_verifier", verifier_text(9999))),
                    Verifier::Short => form.push(("code_verifier", own[..42].to_owned())),
                    Verifier::Missing => {}
                }
                let used = || before.redirect_of(code).unwrap_or("https://client.example/cb").to_owned();
                if let Some(sent) = redirect {
                    form.push(("redirect_uri", sent.clone().unwrap_or_else(used)));
                }
                form.extend(resource.iter().map(|one| ("resource", one.clone())));
                self.post("/token", form, before.sender(code, *client), *proof, *twice)
            }
            Step::Refresh { token, client, proof, scope, resource, twice } => {
                let mut form =
                    vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", self.string(before, token))];
                form.extend(scope.iter().map(|scope| ("scope", scope.clone())));
                form.extend(resource.iter().map(|one| ("resource", one.clone())));
                self.post("/token", form, before.sender(token, *client), *proof, *twice)
            }
            Step::Revoke { token, client, proof } => {
                let form = vec![("token", self.string(before, token))];
                self.post("/revoke", form, before.sender(token, *client), *proof, None)
            }
            Step::Introspect { token, client, proof } => {
                let form = vec![("token", self.string(before, token))];
                self.post("/introspect", form, *client, *proof, None)
            }
            Step::Check { token, resource, needs } => {
                let bearer = |token| ("Authorization".to_owned(), format!("Bearer {token}").into_bytes());
                let resources = before.policy.resources();
                Seen::Checked(self.world.check(CheckRequest {
                    headers: token.iter().map(|token| bearer(self.string(before, token))).collect(),
                    resource: resources[resource % resources.len()].to_owned(),
                    scopes: needs.iter().map(|needed| (*needed).to_owned()).collect(),
                    ..CheckRequest::default()
                }))
            }
            Step::SignOut(person) => {
                let subject = PEOPLE[*person].to_owned();
                Seen::Operated(self.world.operate(Operation::SignOutEverywhere { subject }).operated)
            }
            Step::EndGrant { person, token } => match before.picked(token) {
                None => Seen::Operated(Operated::NotFound),
                Some(place) => {
                    let grant_id = self.grants[before.tokens[place].grant].clone();
                    let operation = Operation::RevokeGrant { subject: PEOPLE[*person].to_owned(), grant_id };
                    Seen::Operated(self.world.operate(operation).operated)
                }
            },
        }
    }

    fn authorize(&mut self, ask: &Ask, number: usize) -> Seen {
        let text = |name: &'static str, value: &Option<String>| value.clone().map(|value| (name, value));
        let mut query = vec![("client_id", CLIENTS[ask.client].id.to_owned())];
        query.extend(text("redirect_uri", &ask.redirect));
        query.extend(text("response_type", &ask.response_type));
        query.extend(text("scope", &ask.scope));
        query.extend(text("state", &ask.state));
        query.extend(ask.resource.iter().map(|one| ("resource", one.clone())));
        let challenge = base64url(&sha256(&[verifier_text(number).as_bytes()]));
        let (challenge, method) = match ask.challenge {
            Challenge::Right => (Some(challenge.as_str()), Some("S256")),
            Challenge::Missing => (None, None),
            Challenge::NoMethod => (Some(challenge.as_str()), None),
            Challenge::Plain => (Some(challenge.as_str()), Some("plain")),
            Challenge::Short => (Some(&challenge[..42]), Some("S256")),
        };
        query.extend(challenge.map(|challenge| ("code_challenge", challenge.to_owned())));
        query.extend(method.map(|method| ("code_challenge_method", method.to_owned())));
        repeat(&mut query, ask.twice);
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.browse(Draft::new("GET", "/authorize", &query), ask.browser, ask.person)
    }

    fn decide(&mut self, page: usize, browser: usize, person: usize, approve: bool, ticked: &[&str]) -> Seen {
        let (ticket, seal) = &self.forms[page];
        let decision = if approve { "approve" } else { "deny" };
        let mut form = vec![("ticket", ticket.as_str()), ("seal", seal.as_str()), ("decision", decision)];
        form.extend(ticked.iter().map(|scope| ("scope", *scope)));
        let draft = Draft::new("POST", "/consent", &form).but(&["@Origin: null", "@Sec-Fetch-Site: same-origin"]);
        self.browse(draft, browser, Some(person))
    }

    fn browse(&mut self, draft: Draft, browser: usize, person: Option<usize>) -> Seen {
        self.world.cookies = std::mem::take(&mut self.cookies[browser]);
        self.world.sign_in = match person {
            Some(person) => Decision::SignedIn(fixture::user(PEOPLE[person])),
            None => Decision::SignIn { location: "/login".to_owned() },
        };
        let cookies = self.world.cookie_change();
        let answer = self.world.send(draft.but(&[&cookies]));
        self.cookies[browser] = std::mem::take(&mut self.world.cookies);
        Seen::Http(answer)
    }

    fn post(
        &mut self,
        path: &str,
        mut form: Vec<(&'static str, String)>,
        client: usize,
        proof: Proof,
        twice: Option<&'static str>,
    ) -> Seen {
        let card = &CLIENTS[client];
        let mut header = "@-Authorization".to_owned();
        match (proof, card.secret) {
            (Proof::Nameless, _) => {}
            (Proof::Right, Some(secret)) => header = format!("@Authorization: {}", basic(card.id, secret)),
            (Proof::Right | Proof::NameAlone, _) => form.push(("client_id", card.id.to_owned())),
            (Proof::Posted, _) => {
                form.push(("client_id", card.id.to_owned()));
                form.push(("client_secret", SECRET.to_owned()));
            }
            (Proof::Wrong, _) => header = format!("@Authorization: {}", basic(card.id, "not the secret")),
        }
        repeat(&mut form, twice);
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Seen::Http(self.world.send(Draft::new("POST", path, &form).but(&[&header])))
    }

    fn string(&self, before: &Reference, pick: &Pick) -> String {
        let Some(place) = before.picked(pick) else { return "nonsense".to_owned() };
        let token = &self.tokens[place];
        match pick.bend {
            Bend::Straight => token.clone(),
            Bend::Shortened => token[..token.len() - 1].to_owned(),
            Bend::Lengthened => format!("{token}A"),
            Bend::Flipped(at) => {
                let at = at % token.len();
                let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
                format!("{}{other}{}", &token[..at], &token[at + 1..])
            }
            Bend::Invented => "lsr_AAAA".to_owned(),
        }
    }

    fn verifier_of(&self, before: &Reference, code: &Pick) -> String {
        verifier_text(before.ticket_of(code).unwrap_or_default())
    }

    // --- Answers ------------------------------------------------------------------------------------------------------

    fn compare(&mut self, after: &Reference, seen: &Seen) -> Result<(), String> {
        match (&after.last, seen) {
            (Outcome::Nothing, Seen::Nothing) => Ok(()),
            (Outcome::Operated(done), Seen::Operated(operated)) => {
                let found = !matches!(operated, Operated::NotFound | Operated::Unavailable);
                hold(*done == found, "what became of it")
            }
            (Outcome::Allowed(holder), Seen::Checked(Checked::Allowed(identity))) => {
                let own = |grant: &String| *grant == identity.grant_id;
                hold(self.grants.get(holder.grant).is_some_and(own), "the grant")?;
                hold(identity.client_id == holder.client && identity.subject == holder.subject, "whose it is")?;
                hold(identity.scopes.iter().cloned().collect::<Scopes>() == holder.scopes, "the scopes")?;
                hold(identity.resource == holder.resource, "the resource")?;
                hold(identity.expires_at == holder.expires_at, "the end")
            }
            (Outcome::Challenged(any), Seen::Checked(Checked::Refused(answer))) => {
                let challenge = answer.response.header("www-authenticate").unwrap_or_default();
                hold(challenge.starts_with("Bearer ") && challenge.contains("resource_metadata=\""), "the challenge")?;
                let error = challenge.split_once("error=\"").and_then(|(_, rest)| rest.split_once('"'));
                is_one_of(any, answer.response.status, error.map_or("", |(error, _)| error))
            }
            (expected, Seen::Http(answer)) => self.compare_answer(after, expected, answer),
            (expected, _) => Err(format!("the model says {expected:?}")),
        }
    }

    fn compare_answer(&mut self, after: &Reference, expected: &Outcome, answer: &Answer) -> Result<(), String> {
        let status = answer.response.status;
        let location = answer.response.header("location");
        match expected {
            Outcome::Page => hold((400..500).contains(&status) && location.is_none(), "no page"),
            Outcome::SignIn => hold(matches!(status, 302 | 303) && location == Some("/login"), "no sign-in"),
            Outcome::Told { any, redirect, state } => {
                self.compare_redirect(answer, redirect, state.as_deref())?;
                let error = redirected(answer, "error").unwrap_or_default();
                hold(redirected(answer, "code").is_none(), "a code")?;
                hold(any.contains(error.as_str()), &format!("`{error}` is none of {any:?}"))
            }
            Outcome::Consent { scopes } => {
                hold(status == 200 && location.is_none(), "no consent page")?;
                self.forms.push((hidden(answer, "ticket"), hidden(answer, "seal")));
                let page = String::from_utf8_lossy(&answer.response.body);
                for scope in SCOPES {
                    let shown = page.contains(scope.name);
                    hold(shown == scopes.contains(scope.name), &format!("`{}` is shown: {shown}", scope.name))?;
                }
                Ok(())
            }
            Outcome::Coded { code, redirect, state } => {
                self.compare_redirect(answer, redirect, state.as_deref())?;
                let told = redirected(answer, "code").ok_or("no code")?;
                let known: BTreeSet<&String> = self.grants.iter().collect();
                let keys = self.world.store.keys("grant");
                let ids = keys.iter().filter_map(|key| key.rsplit('/').next());
                let appeared: Vec<String> = ids.map(str::to_owned).filter(|id| !known.contains(id)).collect();
                self.grants.extend(appeared);
                hold(self.grants.len() == after.grants.len(), "the number of grants")?;
                self.name(*code, &told, "code")
            }
            Outcome::Tokens { access, refresh, scopes, expires_in } => {
                let body = fixture::body(answer);
                hold(status == 200, &format!("the model says {expected:?}"))?;
                hold(answer.response.header("cache-control") == Some("no-store"), "cache-control")?;
                hold(body["token_type"] == "Bearer", "token_type")?;
                let told: Scopes = body["scope"].as_str().unwrap_or_default().split(' ').map(str::to_owned).collect();
                hold(told == *scopes, &format!("the scope: the model says {scopes:?}"))?;
                hold(body["expires_in"] == *expires_in, &format!("expires_in: the model says {expires_in}"))?;
                // The model appends the access token first.
                self.name(*access, body["access_token"].as_str().unwrap_or_default(), "access token")?;
                match refresh {
                    None => hold(body.get("refresh_token").is_none(), "a refresh token"),
                    Some(refresh) => {
                        self.name(*refresh, body["refresh_token"].as_str().unwrap_or_default(), "refresh token")
                    }
                }
            }
            Outcome::Refused(any) => {
                hold(answer.response.header("cache-control") == Some("no-store"), "cache-control")?;
                let body = fixture::body(answer);
                is_one_of(any, status, body["error"].as_str().unwrap_or_default())
            }
            Outcome::Revoked => hold(status == 200, "no 200"),
            Outcome::Inactive => hold(fixture::body(answer) == json!({ "active": false }), "it is not inactive"),
            Outcome::Active(holder) => compare_active(&fixture::body(answer), holder),
            other => Err(format!("the model says {other:?}")),
        }
    }

    fn compare_redirect(&self, answer: &Answer, redirect: &str, state: Option<&str>) -> Result<(), String> {
        hold(matches!(answer.response.status, 302 | 303), "no redirect")?;
        let location = answer.response.header("location").unwrap_or_default();
        let rest = location.strip_prefix(redirect).ok_or("the redirect goes elsewhere")?;
        hold(rest.starts_with(if redirect.contains('?') { '&' } else { '?' }), "the redirect's parameters")?;
        hold(redirected(answer, "state").as_deref() == state, "the state")?;
        hold(redirected(answer, "iss").as_deref() == Some(ISSUER), "the issuer")
    }

    /// A token that the model has seen before is the same string as then, and a new one is no string that was seen.
    fn name(&mut self, place: usize, told: &str, what: &str) -> Result<(), String> {
        match self.tokens.get(place) {
            Some(known) => hold(known == told, &format!("the {what} is not the one of before")),
            None => {
                hold(!told.is_empty(), &format!("no {what}"))?;
                hold(!self.tokens.iter().any(|known| known == told), &format!("the {what} is an earlier one"))?;
                self.tokens.push(told.to_owned());
                Ok(())
            }
        }
    }
}

fn compare_active(body: &Value, holder: &Holder) -> Result<(), String> {
    hold(body["active"] == true, "it is not active")?;
    let scopes: Scopes = body["scope"].as_str().unwrap_or_default().split(' ').map(str::to_owned).collect();
    hold(scopes == holder.scopes, "the scopes")?;
    hold(body["client_id"] == holder.client && body["sub"] == holder.subject, "whose it is")?;
    hold(body["aud"] == holder.resource && body["iss"] == ISSUER, "the audience")?;
    hold(body["exp"] == holder.expires_at, "the end")
}

fn repeat(form: &mut Vec<(&'static str, String)>, twice: Option<&'static str>) {
    if let Some(again) = twice.and_then(|twice| form.iter().find(|(name, _)| *name == twice).cloned()) {
        form.push(again);
    } else if let Some(twice) = twice {
        form.extend([(twice, "a".to_owned()), (twice, "b".to_owned())]);
    }
}

fn verifier_text(number: usize) -> String {
    format!("the.verifier.of.page-{number:0>30}")
}

fn hold(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

fn is_one_of(any: &Errors, status: u16, error: &str) -> Result<(), String> {
    let told = any.iter().any(|(known, name)| *known == status && *name == error);
    hold(told, &format!("{status} `{error}` is none of {any:?}"))
}

/// Runs a journey.
///
/// # Errors
/// The story up to the first difference.
pub fn compare(start: &Reference, steps: &[Step], mut seen: impl FnMut()) -> Result<SideBySide, String> {
    let mut sides = SideBySide::new(&start.policy);
    let mut model = start.clone();
    for step in steps {
        seen();
        let before = model.clone();
        model.take(step);
        sides.take(&before, &model, step)?;
    }
    Ok(sides)
}
