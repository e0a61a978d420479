//! Client authentication: what the request presents, and whether it proves the client.

use super::{Authentication, Client, keys, resolve};
use crate::authorization_server::rule::{Pause, Scene};
use crate::crypto;
use crate::exchange::Facts;
use crate::http::{Form, HttpRequest, QUERY_BYTES, percent_decode};
use crate::jose::{Accept, Algorithm, AudienceRule, Expect, Unverified};
use crate::refusal;
use crate::store::{Key, Labels, Write};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::json;

/// The one assertion type (RFC 7523 §2.2).
pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How far a client's clock may be off, in seconds.
pub(crate) const LEEWAY_SECONDS: u64 = 60;
/// How long an assertion may live, in seconds: its `jti` is remembered that long.
const ASSERTION_SECONDS: u64 = 3600;
/// Wrong credentials per client, peer and minute, before the answer is 429.
const WRONG_PER_MINUTE: u32 = 60;

/// What an assertion's header may say. Untyped ones are what most clients send (RFC 7523bis §4).
const ACCEPT: Accept<'static> =
    Accept { algorithms: &Algorithm::ALL, types: &["JWT", "client-authentication+jwt"], untyped: true };

/// The parameters of a request about one token that may appear once.
pub(crate) const ABOUT_TOKEN: [&str; 6] =
    ["token", "token_type_hint", "client_id", "client_secret", "client_assertion", "client_assertion_type"];

/// What the request presents. Nothing has been checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(lockstep_model, derive(Hash))]
pub(crate) struct Presented {
    pub(crate) client_id: String,
    proof: Proof,
    pub(crate) by_header: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(lockstep_model, derive(Hash))]
enum Proof {
    None,
    SecretHash([u8; 32]),
    Assertion(String),
}

/// A client whose authentication held. Only [`authenticate`] makes one.
#[derive(Clone, Debug)]
#[cfg_attr(lockstep_model, derive(PartialEq, Eq, Hash))]
pub(crate) struct VerifiedClient {
    pub(crate) client: Client,
    spend: Option<Spend>,
}

/// An assertion that is still to be recorded as used.
#[derive(Clone, Debug)]
#[cfg_attr(lockstep_model, derive(PartialEq, Eq, Hash))]
struct Spend {
    key: Key,
    remember_until: u64,
}

impl Presented {
    /// Reads the credentials of a request. More than one method is a fault of its own.
    pub(crate) fn read(request: &HttpRequest, form: &Form) -> Result<Self, Pause> {
        let malformed = || Pause::from(&refusal::CLIENT_BASIC);
        let header = request.header("authorization").map_err(|_| Pause::from(&refusal::CLIENT_SEVERAL))?;
        if request.has_header("authorization") && header.is_none() {
            return Err(malformed());
        }
        let one = |name: &'static str| form.one(name).map_err(|_| Pause::because(&refusal::PARAMETER_REPEATED, name));
        let (id, secret) = (one("client_id")?, one("client_secret")?);
        let (assertion, assertion_type) = (one("client_assertion")?, one("client_assertion_type")?);
        let methods = usize::from(header.is_some()) + usize::from(secret.is_some()) + usize::from(assertion.is_some());
        if methods > 1 {
            return Err(Pause::from(&refusal::CLIENT_SEVERAL));
        }
        let hash = |secret: &str| Proof::SecretHash(crypto::sha256(&[secret.as_bytes()]));
        if let Some(header) = header {
            let (name, secret) = read_basic(header).ok_or_else(malformed)?;
            if id.is_some_and(|id| id != name) {
                return Err(Pause::from(&refusal::CLIENT_MISMATCH));
            }
            return Ok(Self { client_id: name, proof: hash(&secret), by_header: true });
        }
        if let Some(assertion) = assertion {
            if assertion_type != Some(ASSERTION_TYPE) {
                return Err(Pause::from(&refusal::ASSERTION_TYPE));
            }
            let subject = Unverified::read(assertion, &ACCEPT).ok().and_then(|jws| jws.claimed("sub"));
            let subject = subject.ok_or(Pause::from(&refusal::ASSERTION_MALFORMED))?;
            if id.is_some_and(|id| id != subject) {
                return Err(Pause::from(&refusal::CLIENT_MISMATCH));
            }
            return Ok(Self { client_id: subject, proof: Proof::Assertion(assertion.to_string()), by_header: false });
        }
        let id = id.ok_or(Pause::from(&refusal::CLIENT_MISSING))?.to_string();
        Ok(Self { client_id: id, proof: secret.map_or(Proof::None, hash), by_header: false })
    }

    /// The keys that authenticating will want, for the exchange's one load.
    pub(crate) fn wanted_keys(&self, scene: &Scene) -> Vec<Key> {
        let mut wanted: Vec<Key> = super::wanted_keys(&scene.server, &self.client_id).into_iter().collect();
        if let Proof::Assertion(assertion) = &self.proof
            && let Some(jti) = Unverified::read(assertion, &ACCEPT).ok().and_then(|jws| jws.claimed("jti"))
        {
            wanted.push(seen_key(scene, &self.client_id, &jti));
        }
        wanted
    }
}

fn seen_key(scene: &Scene, client_id: &str, jti: &str) -> Key {
    let length = (client_id.len() as u64).to_be_bytes();
    scene.server.key("seen", &crypto::base64url(&crypto::sha256(&[&length, client_id.as_bytes(), jti.as_bytes()])))
}

/// Credentials in a query end up in logs; a request that puts any there is refused as a whole.
pub(crate) fn refuse_query(request: &HttpRequest, names: &[&str]) -> Result<(), Pause> {
    if request.query.is_empty() {
        return Ok(());
    }
    let query = Form::parse(&request.query, QUERY_BYTES).map_err(|_| Pause::from(&refusal::TOKEN_MALFORMED))?;
    if names.iter().any(|name| query.one(name) != Ok(None)) { Err(Pause::from(&refusal::TOKEN_QUERY)) } else { Ok(()) }
}

/// `Basic` credentials: each half is form-encoded before Base64 (OAuth 2.1 §2.4.1). A half that cannot be decoded is
/// taken as it is, which is what clients that skip that step mean; it is one reading, not two attempts.
fn read_basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = crypto::from_base64(encoded.trim_matches(' '))?;
    let text = String::from_utf8(decoded).ok()?;
    let (name, secret) = text.split_once(':')?;
    let half = |text: &str| percent_decode(text.as_bytes(), true).unwrap_or_else(|_| text.to_string());
    let name = half(name);
    if name.is_empty() { None } else { Some((name, half(secret))) }
}

/// Finds the client and checks that it is who it says, once an exchange: a proof that held is `known` from then on, and
/// only whether another exchange has spent it meanwhile is looked up again.
pub(crate) fn authenticate<'a>(
    known: &'a mut Option<VerifiedClient>,
    scene: &Scene,
    facts: &mut Facts,
    presented: &Presented,
) -> Result<&'a VerifiedClient, Pause> {
    let client = match known.take() {
        Some(client) => client,
        None => prove(scene, facts, presented)?,
    };
    let client = known.insert(client);
    client.unspent(scene, facts)?;
    Ok(client)
}

fn prove(scene: &Scene, facts: &mut Facts, presented: &Presented) -> Result<VerifiedClient, Pause> {
    let client = resolve(scene, facts, &presented.client_id)?;
    let wrong = |facts: &Facts, refusal| {
        let budget = format!("wrong:{}:{}", client.id, scene.peer);
        let refusal = if facts.admitted(budget, WRONG_PER_MINUTE, 60)? { refusal } else { &refusal::CLIENT_LIMITED };
        Err(Pause::because(refusal, client.id.clone()))
    };
    match (&client.authentication, &presented.proof) {
        (Authentication::None, Proof::None) => Ok(VerifiedClient { client, spend: None }),
        (Authentication::Secret(expected), Proof::SecretHash(hash)) => {
            if crate::secret::same(expected, hash) {
                Ok(VerifiedClient { client, spend: None })
            } else {
                wrong(facts, &refusal::CLIENT_SECRET)
            }
        }
        (Authentication::InlineKeys(_) | Authentication::KeysAt(_), Proof::Assertion(assertion)) => {
            let spend = check_assertion(scene, facts, &client, assertion)?;
            Ok(VerifiedClient { client, spend: Some(spend) })
        }
        (_, Proof::None) => Err(Pause::because(&refusal::CLIENT_UNAUTHENTICATED, client.id.clone())),
        _ => wrong(facts, &refusal::CLIENT_METHOD),
    }
}

fn check_assertion(scene: &Scene, facts: &mut Facts, client: &Client, assertion: &str) -> Result<Spend, Pause> {
    let unverified = Unverified::read(assertion, &ACCEPT)
        .map_err(|fault| Pause::because(&refusal::ASSERTION_MALFORMED, fault.to_string()))?;
    let algorithm = unverified.algorithm();
    let key = keys::find(scene, facts, client, unverified.kid(), algorithm)?;
    let verified =
        unverified.verify(&key).map_err(|fault| Pause::because(&refusal::ASSERTION_SIGNATURE, fault.to_string()))?;
    let config = &scene.server.config;
    let token_endpoint = config.endpoint("/token");
    let older = [config.issuer(), token_endpoint.as_str()];
    let expect = Expect {
        issuer: Some(&client.id),
        audience: if client.older_audiences {
            AudienceRule::OneOf(&older)
        } else {
            AudienceRule::Exactly(config.issuer())
        },
        now: scene.env.now,
        leeway_seconds: LEEWAY_SECONDS,
        max_lifetime_seconds: Some(ASSERTION_SECONDS),
        required: &["sub", "jti"],
    };
    let claims =
        verified.claims(&expect).map_err(|fault| Pause::because(&refusal::ASSERTION_CLAIMS, fault.to_string()))?;
    if claims.subject() != Some(client.id.as_str()) {
        return Err(Pause::because(&refusal::ASSERTION_CLAIMS, "`sub` is not the client"));
    }
    let expires_at = claims.expires_at();
    let jti = claims.token_id().filter(|jti| (1..=256).contains(&jti.len()));
    let jti = jti.ok_or_else(|| Pause::because(&refusal::ASSERTION_CLAIMS, "`jti` is missing or too long"))?;
    let remember_until = expires_at.saturating_add(2 * LEEWAY_SECONDS);
    Ok(Spend { key: seen_key(scene, &client.id, jti), remember_until })
}

fn spend_value(scene: &Scene) -> Vec<u8> {
    json!({ "v": 1, "stamp": crypto::base64url(&scene.stamp()) }).to_string().into_bytes()
}

impl VerifiedClient {
    /// Seen before by another exchange? Then the request is refused at once; recording it comes last.
    fn unspent(&self, scene: &Scene, facts: &Facts) -> Result<(), Pause> {
        let Some(spend) = &self.spend else { return Ok(()) };
        match facts.live(&spend.key, scene.env.now)? {
            Some(record) if record.value != spend_value(scene) => {
                Err(Pause::because(&refusal::ASSERTION_REPLAYED, self.client.id.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Records the assertion as used, once, after every other check and directly before the gate.
    pub(crate) fn spend(&self, scene: &Scene, facts: &Facts) -> Result<(), Pause> {
        let Some(spend) = &self.spend else { return Ok(()) };
        if facts.live(&spend.key, scene.env.now)?.is_some() {
            // `authenticate` has seen that the record is this exchange's own.
            return Ok(());
        }
        let previous = facts.stored(&spend.key)?;
        let (key, value) = (spend.key.clone(), spend_value(scene));
        Err(Pause::Gate(Write::over(previous, key, value, spend.remember_until, Labels::default(), &scene.env.entropy)))
    }
}
