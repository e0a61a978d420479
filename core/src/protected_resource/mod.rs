//! The protected resource role: the MCP server's gate.

mod challenge;
mod check;

pub use check::{CheckExchange, CheckRequest, Checked, Identity, IdentityKind};

use crate::authorization_server::rule::Scene;
use crate::authorization_server::server::AuthorizationServer;
use crate::env::Env;
use crate::exchange::{self, Step};
use crate::http::HttpResponse;
use alloc::string::String;

impl AuthorizationServer {
    /// Starts the check of one request to a resource: exactly one bearer token, in the header, for this resource and
    /// with every scope that the operation needs.
    pub fn check(&self, request: CheckRequest, env: Env) -> Step<CheckExchange> {
        let scene = Scene { server: self.server.clone(), env, peer: request.peer.clone() };
        exchange::begin(CheckExchange::new(scene, request))
    }

    /// The 403 challenge for an operation that turned out to need more: name all scopes that it needs.
    ///
    /// `resource` is the configured identifier; the first resource when it is not one of them.
    pub fn challenge(&self, resource: &str, scopes: &[String]) -> HttpResponse {
        let config = &self.server.config;
        let index = config.resource_table.find(resource).unwrap_or(0);
        challenge::insufficient_scope(config, index, scopes)
    }
}
