//! The token endpoint: redeeming codes and rotating refresh tokens.
//!
//! Validate, gate, answer: every check comes first and writes nothing, the conditional write of the grant is the
//! gate, and a token leaves only after it.

use super::approval::{labels, store_until, subject_counter};
use super::clients::authentication::{Presented, VerifiedClient, authenticate, refuse_query};
use super::mint;
use super::reply::{self, Shape};
use super::rule::{Answer, Pause, Scene};
use crate::exchange::{Act, Facts, Rule};
use crate::grant::{Grant, GrantState, Moment, Redemption, Rotation, STREAK_REPORT};
use crate::http::{BODY_BYTES, Form, HttpRequest};
use crate::pkce::{Challenge, Verifier};
use crate::question::{Decision, Question};
use crate::refusal::{self, Refusal};
use crate::scope::Scopes;
use crate::store::{Key, Write};
use crate::token::{self, Opened, ProvenToken, TokenKind};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// One request to the token endpoint.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub(crate) struct Token {
    scene: Scene,
    stamp: [u8; 8],
    parsed: Result<Parsed, (&'static Refusal, String)>,
    by_header: bool,
    /// The client, once it has proven itself.
    client: Option<VerifiedClient>,
    /// Whether the first load found the code or token current or repeatable: then this exchange never revokes.
    was_current: Option<bool>,
    /// What this exchange has tried to write.
    written: Option<Written>,
}

/// A record of our own making, as it was before it became bytes: found in the store again, it need not be read again.
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
struct Written {
    value: Vec<u8>,
    grant: Grant,
    proven: ProvenToken,
}

#[derive(Clone, Debug)]
#[cfg_attr(lockstep_model, derive(PartialEq, Eq, Hash))]
struct Parsed {
    form: Form,
    presented: Presented,
    kind: TokenKind,
    opened: Option<(Opened, [Key; 2])>,
    /// Every record that the exchange will look at, as far as the request tells.
    wanted: Vec<Key>,
}

const ONCE: [&str; 10] = [
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "scope",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
];

impl Token {
    pub(crate) fn new(scene: Scene, request: HttpRequest) -> Self {
        let parsed = parse(&scene, &request).map_err(|pause| match pause {
            Pause::Refuse(refusal, detail) => (refusal, detail),
            _ => (&refusal::UNAVAILABLE, "reading a request needs nothing".to_string()),
        });
        let by_header = request.has_header("authorization");
        let stamp = scene.stamp();
        Self { scene, stamp, parsed, by_header, client: None, was_current: None, written: None }
    }

    fn decide(&mut self, facts: &mut Facts) -> Result<Answer, Pause> {
        let Self { scene, stamp, parsed, client, was_current, written, .. } = self;
        let (scene, parsed) = (&*scene, parsed.as_ref());
        let parsed = parsed.map_err(|(refusal, detail)| Pause::Refuse(refusal, detail.clone()))?;
        facts.need(&parsed.wanted)?;
        let client = authenticate(client, scene, facts, &parsed.presented)?;
        let unknown = if parsed.kind == TokenKind::Code { &refusal::CODE_UNKNOWN } else { &refusal::REFRESH_UNKNOWN };
        let Some((opened, [grant_key, subject_key])) = &parsed.opened else { return Err(unknown.into()) };
        let now = scene.env.now;
        let Some(record) = facts.live(grant_key, now)? else { return Err(unknown.into()) };
        let (grant, proven) = match written.take().filter(|written| written.value == record.value) {
            Some(written) => (written.grant, written.proven),
            None => {
                let grant = Grant::decode(&record.value).ok_or(Pause::Unavailable("a stored grant cannot be read"))?;
                let proven = opened.prove(&scene.server.ring, &scene.server.config.issuer_hash, &grant.salt);
                let proven = proven.filter(|token| grant.key_fits(token)).ok_or(Pause::from(unknown))?;
                (grant, proven)
            }
        };
        let counter = subject_counter(facts, subject_key)?;
        let was_current = *was_current.get_or_insert_with(|| match parsed.kind {
            TokenKind::Code => grant.state == GrantState::Granted,
            _ => {
                grant.state == GrantState::Live
                    && proven.body.generation >= grant.generation.number.saturating_sub(1)
                    && is_repeatable(scene, &grant, proven.body.generation)
            }
        });
        let jwt_kid = if scene.server.config.jwt { mint::signing_kid(scene)? } else { Default::default() };
        let key = scene.server.ring.signing(now).ok_or(Pause::Unavailable("no server key signs now"))?.id;
        let moment = Moment { now, stamp: *stamp, key, jwt_kid, was_current };
        let work = Work { scene, client, grant, grant_key, proven, moment, counter };
        let next = match parsed.kind {
            TokenKind::Code => work.redeem(facts, &parsed.form),
            _ => work.rotate(facts, &parsed.form),
        };
        match next? {
            Next::Answer(answer) => Ok(answer),
            Next::Write(grant) => {
                let write = work.write(facts, &grant)?;
                *written = Some(Written { value: write.value.clone(), grant, proven: work.proven });
                Err(Pause::Gate(write))
            }
        }
    }
}

/// Whether presenting this generation now would win or repeat.
fn is_repeatable(scene: &Scene, grant: &Grant, presented: u32) -> bool {
    let now = grant.effective_time(scene.env.now);
    let window = scene.server.config.policy.retry_window_seconds;
    presented == grant.generation.number || (window > 0 && now.saturating_sub(grant.generation.issued_at) <= window)
}

fn parse(scene: &Scene, request: &HttpRequest) -> Result<Parsed, Pause> {
    let malformed = || Pause::from(&refusal::TOKEN_MALFORMED);
    refuse_query(request, &ONCE)?;
    if !request.is_media_type("application/x-www-form-urlencoded") {
        return Err(Pause::from(&refusal::TOKEN_MEDIA_TYPE));
    }
    let form = Form::parse(&request.body, BODY_BYTES).map_err(|_| malformed())?;
    if let Some(name) = form.repeated(&ONCE) {
        return Err(Pause::because(&refusal::PARAMETER_REPEATED, name));
    }
    let presented = Presented::read(request, &form)?;
    let one = |name: &str| form.one(name).ok().flatten();
    let (kind, name) = match one("grant_type") {
        None => return Err(Pause::from(&refusal::TOKEN_GRANT_TYPE_MISSING)),
        Some("authorization_code") => (TokenKind::Code, "code"),
        Some("refresh_token") => (TokenKind::Refresh, "refresh_token"),
        Some(_) => return Err(Pause::from(&refusal::TOKEN_GRANT_TYPE)),
    };
    let missing = if kind == TokenKind::Code { &refusal::CODE_MISSING } else { &refusal::REFRESH_MISSING };
    let text = one(name).ok_or(Pause::from(missing))?;
    let config = &scene.server.config;
    let opened = token::open(&config.prefixes, &scene.server.ring, scene.env.now, &config.issuer_hash, &[kind], text);
    let opened = opened.map(|opened| {
        let keys = [scene.server.grant_key(&opened.body.grant), scene.server.subject_key(&opened.body.subject)];
        (opened, keys)
    });
    let mut wanted = presented.wanted_keys(scene);
    wanted.extend(opened.iter().flat_map(|(_, keys)| keys.iter().cloned()));
    Ok(Parsed { form, presented, kind, opened, wanted })
}

/// A request that has proven its client and its code or token.
struct Work<'a> {
    scene: &'a Scene,
    client: &'a VerifiedClient,
    grant: Grant,
    grant_key: &'a Key,
    proven: ProvenToken,
    moment: Moment,
    counter: u64,
}

/// How the request goes on.
#[allow(clippy::large_enum_variant, reason = "it is made once a request, and taken apart at once")]
enum Next {
    Answer(Answer),
    /// The gate.
    Write(Grant),
}

impl Work<'_> {
    fn redeem(&self, facts: &mut Facts, form: &Form) -> Result<Next, Pause> {
        let (scene, grant) = (self.scene, &self.grant);
        let one = |name: &str| form.one(name).ok().flatten();
        if grant.client_id != self.client.client.id {
            return Err(self.because(&refusal::CODE_CLIENT));
        }
        if !self.client.client.code {
            return Err(self.because(&refusal::TOKEN_CLIENT_GRANT));
        }
        // OAuth 2.1 dropped the parameter; a client that sends it must send the one it used.
        if one("redirect_uri").is_some_and(|uri| uri != grant.redirect_uri) {
            return Err(self.because(&refusal::CODE_REDIRECT));
        }
        let verifier = one("code_verifier").ok_or_else(|| self.because(&refusal::VERIFIER_MISSING))?;
        let challenge =
            Challenge::parse(&grant.challenge).map_err(|_| Pause::Unavailable("a stored challenge cannot be read"))?;
        let proves = Verifier::parse(verifier).is_ok_and(|verifier| challenge.proves(&verifier));
        if !proves {
            return Err(self.because(&refusal::VERIFIER_MISMATCH));
        }
        let resource = self.resource(form)?;
        if self.grant.state != GrantState::Revoked && !self.grant.is_alive(self.moment.now, self.counter) {
            return Err(self.because(&refusal::GRANT_DEAD));
        }
        match grant.redeem(&self.moment, &scene.server.config.policy) {
            Redemption::Win(next) => {
                self.client.spend(scene, facts)?;
                Ok(Next::Write(next))
            }
            Redemption::Won => self.answer(facts, resource, all_scopes(grant), "token.issued"),
            Redemption::Raced => Err(self.because(&refusal::CODE_RACED)),
            Redemption::Replayed(dead) => Ok(Next::Write(dead)),
            Redemption::Dead => Err(self.dead(&refusal::CODE_EXPIRED)),
        }
    }

    fn rotate(&self, facts: &mut Facts, form: &Form) -> Result<Next, Pause> {
        let (scene, grant) = (self.scene, &self.grant);
        let presented = self.proven.body.generation;
        if grant.client_id != self.client.client.id {
            return Err(self.because(&refusal::REFRESH_CLIENT));
        }
        let resource = self.resource(form)?;
        let scopes = self.narrowed(form)?;
        if !grant.refreshable || (grant.state != GrantState::Revoked && !grant.is_alive(self.moment.now, self.counter))
        {
            return Err(self.because(&refusal::GRANT_DEAD));
        }
        let question = || Question::Refresh {
            subject: grant.subject.clone(),
            client_id: grant.client_id.clone(),
            grant_id: crate::crypto::base64url(&self.proven.body.grant),
        };
        let rotation = grant.rotate(presented, &self.moment, &scene.server.config.policy);
        let gives = matches!(rotation, Rotation::Win(_) | Rotation::Mark(_) | Rotation::Repeat);
        if gives && scene.server.config.ask_refresh && *facts.decided(question())? == Decision::Refuse {
            return Err(self.because(&refusal::REFRESH_REFUSED));
        }
        match rotation {
            Rotation::Win(next) => {
                self.client.spend(scene, facts)?;
                Ok(Next::Write(next))
            }
            Rotation::Mark(marked) => {
                self.client.spend(scene, facts)?;
                if marked.streak.is_multiple_of(STREAK_REPORT) {
                    facts.tell(self.event("token.refresh.streak").with("streak", &marked.streak.to_string()));
                }
                Ok(Next::Write(marked))
            }
            Rotation::Repeat => {
                self.client.spend(scene, facts)?;
                let own = grant.stamp == self.moment.stamp;
                self.answer(facts, resource, scopes, if own { "token.refreshed" } else { "token.repeated" })
            }
            Rotation::Raced => Err(self.because(&refusal::REFRESH_RACED)),
            Rotation::Reused(dead) | Rotation::OverBudget(dead) => Ok(Next::Write(dead)),
            Rotation::Ahead => Err(self.because(&refusal::REFRESH_AHEAD)),
            Rotation::Dead => Err(self.dead(&refusal::REFRESH_EXPIRED)),
        }
    }

    /// A dead grant that this very exchange has killed is refused for the reason it was killed for.
    fn dead(&self, expired: &'static Refusal) -> Pause {
        let own = self.grant.stamp == self.moment.stamp;
        let refusal = match (self.grant.state, self.grant.revoked_because.as_str(), own) {
            (GrantState::Revoked, "code replayed", true) => &refusal::CODE_REUSED,
            (GrantState::Revoked, "refresh token reused", true) => &refusal::REFRESH_REUSED,
            (GrantState::Revoked, "retries over budget", true) => &refusal::REFRESH_OVER_BUDGET,
            (GrantState::Revoked, _, _) => &refusal::GRANT_DEAD,
            _ => expired,
        };
        self.because(refusal)
    }

    fn because(&self, refusal: &'static Refusal) -> Pause {
        let mut detail = String::from("client ");
        detail.push_str(&self.client.client.id);
        detail.push_str(", grant ");
        detail.push_str(&crate::crypto::base64url(&self.proven.body.grant));
        Pause::Refuse(refusal, detail)
    }

    fn event(&self, id: &str) -> crate::audit::AuditEvent {
        let event = self.scene.event(id).with("client", &self.grant.client_id).with("subject", &self.grant.subject);
        event
            .with("grant", &crate::crypto::base64url(&self.proven.body.grant))
            .with("generation", &self.grant.generation.number.to_string())
    }

    fn write(&self, facts: &Facts, next: &Grant) -> Result<Write, Pause> {
        let value = next.encode().ok_or(Pause::Unavailable("a grant is too large"))?;
        let record = facts.stored(self.grant_key)?;
        let expires_at = store_until(&self.scene.server, next);
        let (key, entropy) = (self.grant_key.clone(), &self.scene.env.entropy);
        Ok(Write::over(record, key, value, expires_at, labels(next), entropy))
    }

    /// The index of the one resource that the token is for.
    fn resource(&self, form: &Form) -> Result<u8, Pause> {
        let table = &self.scene.server.config.resource_table;
        let mut chosen = None;
        for asked in form.all("resource") {
            let spelling = table.find(asked).and_then(|index| table.spelling(index));
            let index = self.grant.resources.iter().position(|resource| Some(resource.as_str()) == spelling);
            let index = index.ok_or_else(|| Pause::because(&refusal::TOKEN_RESOURCE, asked))?;
            if chosen.is_some_and(|chosen| chosen != index) {
                return Err(Pause::from(&refusal::TOKEN_RESOURCES));
            }
            chosen = Some(index);
        }
        u8::try_from(chosen.unwrap_or(0)).map_err(|_| Pause::from(&refusal::TOKEN_RESOURCE))
    }

    /// The approved scopes, or fewer when the request says so.
    fn narrowed(&self, form: &Form) -> Result<u64, Pause> {
        let Some(text) = form.one("scope").ok().flatten() else { return Ok(all_scopes(&self.grant)) };
        let scopes = Scopes::parse(text).map_err(|_| Pause::from(&refusal::TOKEN_SCOPE_MALFORMED))?;
        let mut bits = 0u64;
        for name in scopes.iter() {
            let index = self.grant.scopes.iter().position(|approved| approved == name.as_str());
            let index = index.ok_or_else(|| Pause::because(&refusal::TOKEN_SCOPE, name.as_str()))?;
            bits |= 1u64 << index;
        }
        if bits == 0 { Ok(all_scopes(&self.grant)) } else { Ok(bits) }
    }

    fn answer(&self, facts: &mut Facts, resource: u8, scopes: u64, event: &str) -> Result<Next, Pause> {
        let issued = mint::tokens(
            self.scene,
            &self.grant,
            self.proven.body.grant,
            self.proven.body.subject,
            self.client.client.record_id(),
            resource,
            scopes,
        );
        let body = issued.ok_or(Pause::Unavailable("the key of the current generation is gone"))?;
        facts.tell(self.event(event));
        let response = reply::cors(reply::no_store(crate::http::HttpResponse::json(200, &body)));
        Ok(Next::Answer(reply::done(response, facts)))
    }
}

fn all_scopes(grant: &Grant) -> u64 {
    if grant.scopes.len() >= 64 { u64::MAX } else { (1u64 << grant.scopes.len()) - 1 }
}

impl Rule for Token {
    type Output = Answer;

    fn proceed(&mut self, facts: &mut Facts) -> Act<Answer> {
        let decided = self.decide(facts);
        reply::conclude_for_client(&self.scene, facts, decided, self.by_header)
    }

    fn unavailable(&mut self, facts: &mut Facts, what: &'static str) -> Answer {
        reply::unavailable(&self.scene, what, Shape::JsonWithCors, facts)
    }
}
