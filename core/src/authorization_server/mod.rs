//! The authorization server role: one file an endpoint, and none imports another.

pub mod config;
mod config_clients;
mod config_reader;
pub(crate) mod server;
pub(crate) mod route;
pub(crate) mod rule;
pub(crate) mod reply;
pub(crate) mod page;
pub(crate) mod clients;
pub(crate) mod ticket;
pub(crate) mod session;
pub(crate) mod consent_page;
pub(crate) mod approval;
pub(crate) mod mint;
pub(crate) mod access;
pub(crate) mod registration;
pub(crate) mod metadata;
pub(crate) mod jwks;
pub(crate) mod authorize;
pub(crate) mod consent;
pub(crate) mod sign_in;
pub(crate) mod token;
pub(crate) mod revoke;
pub(crate) mod introspect;
pub(crate) mod register;
pub(crate) mod manage;
pub mod operations;

use crate::env::Env;
use crate::exchange::{self, Act, Endpoint, Facts, Rule, Step};
use crate::http::{HttpRequest, HttpResponse};
use crate::refusal;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use config::RegistrationMode;
pub use route::Route;
pub use rule::Answer;
use rule::Scene;
pub use server::AuthorizationServer;

impl AuthorizationServer {
    /// The endpoint that a path at the issuer's origin belongs to; `None` when it is not ours.
    pub fn route(&self, path: &str) -> Option<Route> {
        let config = &self.server.config;
        if let Some(rest) = path.strip_prefix("/.well-known/") {
            return metadata::route(config, rest);
        }
        let rest = path.strip_prefix(config.base_path())?;
        match rest {
            "/authorize" => Some(Route::Authorize),
            "/consent" => Some(Route::Consent),
            "/token" => Some(Route::Token),
            "/revoke" => Some(Route::Revoke),
            "/introspect" => Some(Route::Introspect),
            "/jwks" if config.jwt => Some(Route::Jwks),
            "/sign-in" if config.personal_sign_in => Some(Route::SignIn),
            "/register" if config.registration.mode != RegistrationMode::Off => Some(Route::Register),
            _ => {
                if let Some(form) = rest.strip_prefix("/.well-known/") {
                    return matches!(form, "openid-configuration" | "oauth-authorization-server")
                        .then_some(Route::Metadata);
                }
                let id = rest.strip_prefix("/register/")?;
                let known = config.registration.mode != RegistrationMode::Off && !id.is_empty();
                known.then(|| Route::Manage(id.into()))
            }
        }
    }

    /// Starts the exchange that a request asks for. A path that is not ours is answered 404.
    pub fn handle(&self, request: HttpRequest, env: Env) -> Step<HttpExchange> {
        let scene = Scene { server: self.server.clone(), env, peer: request.peer.clone() };
        let Some(route) = self.route(&request.path) else {
            return Step::Done(reply::refused(
                &scene,
                &refusal::NOT_FOUND,
                "",
                reply::Shape::Json,
                &mut Facts::default(),
            ));
        };
        if request.method == "OPTIONS"
            && let Some(response) = reply::preflight(&route)
        {
            return Step::Done(reply::plain(response));
        }
        if request.has_header("transfer-encoding") && request.has_header("content-length") {
            let facts = &mut Facts::default();
            return Step::Done(reply::refused(&scene, &refusal::FRAMING, "", reply::Shape::Json, facts));
        }
        let allowed = allowed_methods(&route);
        if !allowed.contains(&request.method.as_str()) {
            let mut answer =
                reply::refused(&scene, &refusal::METHOD, &request.method, reply::Shape::Json, &mut Facts::default());
            answer.response = answer.response.with("Allow", &allowed.join(", "));
            return Step::Done(answer);
        }
        let head = request.method == "HEAD";
        let endpoint = match route {
            Route::Metadata => {
                return static_answer(reply::cors(metadata::authorization_server(&self.server.config)), head);
            }
            Route::ResourceMetadata(index) => {
                return static_answer(reply::cors(metadata::protected_resource(&self.server.config, index)), head);
            }
            Route::Document(index) => {
                return static_answer(reply::cors(metadata::extra(&self.server.config, index)), head);
            }
            Route::Jwks => return static_answer(reply::cors(jwks::document(&self.server, scene.env.now)), head),
            Route::Authorize => HttpRule::Authorize(authorize::Authorize::new(scene, request)),
            Route::Consent => HttpRule::Consent(consent::Consent::new(scene, request)),
            Route::SignIn => HttpRule::SignIn(sign_in::SignIn::new(scene, request)),
            Route::Token => HttpRule::Token(token::Token::new(scene, request)),
            Route::Revoke => HttpRule::Revoke(revoke::Revoke::new(scene, request)),
            Route::Introspect => HttpRule::Introspect(introspect::Introspect::new(scene, request)),
            Route::Register => HttpRule::Register(register::Register::new(scene, request)),
            Route::Manage(id) => HttpRule::Manage(manage::Manage::new(scene, request, id)),
        };
        exchange::begin(HttpExchange(endpoint))
    }

    /// Whether requests for this path belong here. A host passes the others on.
    pub fn owns(&self, path: &str) -> bool {
        self.route(path).is_some()
    }

    /// The paths that this server answers, for hosts whose routers want a list. `{id}` stands for one segment.
    pub fn paths(&self) -> Vec<String> {
        let config = &self.server.config;
        let base = config.base_path();
        let mut paths = metadata::paths(config);
        for path in [
            "/authorize",
            "/consent",
            "/token",
            "/revoke",
            "/introspect",
            "/jwks",
            "/sign-in",
            "/register",
            "/register/{id}",
        ] {
            let path = format!("{base}{path}");
            if self.route(&path).is_some() {
                paths.push(path);
            }
        }
        paths
    }
}

fn static_answer(response: HttpResponse, head: bool) -> Step<HttpExchange> {
    let mut response = response;
    if head {
        response.body.clear();
    }
    Step::Done(reply::plain(response))
}

fn allowed_methods(route: &Route) -> &'static [&'static str] {
    match route {
        Route::Metadata | Route::ResourceMetadata(_) | Route::Document(_) | Route::Jwks => &["GET", "HEAD"],
        Route::Authorize | Route::Consent | Route::SignIn => &["GET", "POST"],
        Route::Token | Route::Revoke | Route::Introspect | Route::Register => &["POST"],
        Route::Manage(_) => &["GET", "PUT", "DELETE"],
    }
}

/// The exchange of one HTTP request, whichever endpoint it is for.
///
/// In what ships it cannot be copied, so that no answer is given twice. Only the model checker's configuration, which is
/// no feature, makes it `Clone`:
///
/// ```compile_fail,E0277
/// fn copies<T: Clone>() {}
/// copies::<lockstep_oauth::authorization_server::HttpExchange>();
/// ```
#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
pub struct HttpExchange(HttpRule);

#[derive(Debug)]
#[cfg_attr(lockstep_model, derive(Clone, PartialEq, Eq, Hash))]
#[allow(clippy::large_enum_variant, reason = "one rule lives at a time, and is moved a few times")]
enum HttpRule {
    Authorize(authorize::Authorize),
    Consent(consent::Consent),
    SignIn(sign_in::SignIn),
    Token(token::Token),
    Revoke(revoke::Revoke),
    Introspect(introspect::Introspect),
    Register(register::Register),
    Manage(manage::Manage),
}

impl Endpoint for HttpExchange {
    type Outcome = Answer;
}

impl Rule for HttpExchange {
    type Output = Answer;

    fn proceed(&mut self, facts: &mut Facts) -> Act<Answer> {
        match &mut self.0 {
            HttpRule::Authorize(rule) => rule.proceed(facts),
            HttpRule::Consent(rule) => rule.proceed(facts),
            HttpRule::SignIn(rule) => rule.proceed(facts),
            HttpRule::Token(rule) => rule.proceed(facts),
            HttpRule::Revoke(rule) => rule.proceed(facts),
            HttpRule::Introspect(rule) => rule.proceed(facts),
            HttpRule::Register(rule) => rule.proceed(facts),
            HttpRule::Manage(rule) => rule.proceed(facts),
        }
    }

    fn unavailable(&mut self, facts: &mut Facts, what: &'static str) -> Answer {
        match &mut self.0 {
            HttpRule::Authorize(rule) => rule.unavailable(facts, what),
            HttpRule::Consent(rule) => rule.unavailable(facts, what),
            HttpRule::SignIn(rule) => rule.unavailable(facts, what),
            HttpRule::Token(rule) => rule.unavailable(facts, what),
            HttpRule::Revoke(rule) => rule.unavailable(facts, what),
            HttpRule::Introspect(rule) => rule.unavailable(facts, what),
            HttpRule::Register(rule) => rule.unavailable(facts, what),
            HttpRule::Manage(rule) => rule.unavailable(facts, what),
        }
    }
}
