//! The discovery documents.

use super::{Book, case};
use crate::fixture::{get, put, two_resources};
use crate::world::World;
use serde_json::{Value, json};

pub(super) fn scenarios(book: &mut Book) {
    let plain: [(&str, &str, &str, &str, &str, &str, &[&str]); 10] = [
        ("authorization-server", "The authorization server describes itself.", "RFC 8414 §3; MCP-G9; I-02; P-22", "Clients begin here.", "200", "/.well-known/oauth-authorization-server", &[]),
        ("openid", "The same document is where OpenID clients look.", "RFC 8414 §5; MCP-D8", "MCP clients try both.", "200", "/.well-known/openid-configuration", &[]),
        ("resource", "The resource says whose tokens it takes.", "RFC 9728 §3; MCP-G7; T-29; T-30", "The way from a 401 to the authorization server.", "200", "/.well-known/oauth-protected-resource/mcp", &[]),
        ("resource-root", "The root form names the first resource.", "RFC 9728 §3.1; MCP-D2", "Some clients know no other.", "200", "/.well-known/oauth-protected-resource", &[]),
        ("resource-unknown", "A resource that is not ours has no document.", "RFC 9728 §3.1", "Another server's path.", "http.not_found", "/.well-known/oauth-protected-resource/other", &[]),
        ("head", "HEAD is GET without the body.", "RFC 9110 §9.3.2", "Probes use it.", "200", "/.well-known/oauth-authorization-server", &["#HEAD"]),
        ("preflight", "A script of another origin may read it.", "T-31", "Browser-based MCP clients.", "204", "/.well-known/oauth-protected-resource/mcp", &["#OPTIONS", "@Access-Control-Request-Method: GET"]),
        ("method", "A document is read and not posted.", "RFC 9110 §15.5.6", "`Allow` says so.", "http.method", "/.well-known/oauth-authorization-server", &["#POST"]),
        ("host-header", "A forged host changes nothing.", "RFC 8414 §3.3; I-20", "The issuer comes from the configuration.", "200", "/.well-known/oauth-authorization-server", &["@Host: evil.example", "@X-Forwarded-Host: evil.example"]),
        ("nowhere", "A path that is nobody's is not found.", "RFC 9110 §15.5.5; H-19", "Paths are compared as bytes.", "http.not_found", "/token/", &[]),
    ];
    for (slug, title, spec, why, ends, path, changes) in plain {
        book.one(case(slug, title, spec, why, ends), || {
            let mut world = World::new();
            world.send(get(path).but(changes));
            world
        });
    }
    let with = |change: fn(&mut Value), path: &'static str| {
        move || {
            let mut world = World::with(change);
            world.send(get(path));
            world
        }
    };
    let path_issuer: fn(&mut Value) = |config| put(config, "issuer", json!("https://as.example/tenant"));
    book.one(case("path-inserted", "An issuer with a path is found with the path inserted.", "RFC 8414 §3.1; MCP-D7; I-19", "The first form that clients try.", "200"), with(path_issuer, "/.well-known/oauth-authorization-server/tenant"));
    book.one(case("path-appended", "And with the path in front.", "OpenID Connect Discovery §4.1; MCP-D7", "The last form that clients try.", "200"), with(path_issuer, "/tenant/.well-known/openid-configuration"));
    book.one(case("path-root", "And at the root.", "MCP-D8", "Some clients know no other.", "200"), with(path_issuer, "/.well-known/oauth-authorization-server"));
    book.one(case("path-other", "Another path has another issuer.", "RFC 8414 §3.1; I-12", "A mix-up otherwise.", "http.not_found"), with(path_issuer, "/.well-known/oauth-authorization-server/other"));
    book.one(case("second-resource", "Each resource has a document of its own.", "RFC 9728 §3.1", "Found by its path.", "200"), with(two_resources, "/.well-known/oauth-protected-resource/api"));
    book.one(
        case("everything-on", "What is switched on is named, and nothing else.", "RFC 8414 §2; D-12; D-30", "A document that promises what is not there breaks clients.", "200"),
        with(
            |config| {
                put(config, "registration", json!({ "mode": "open" }));
                put(config, "access_token_format", json!("jwt"));
                put(config, "service_documentation", json!("https://as.example/docs"));
            },
            "/.well-known/oauth-authorization-server",
        ),
    );
    book.one(
        case("everything-off", "What is switched off is not named.", "RFC 8414 §2; D-12", "The same.", "200"),
        with(
            |config| {
                put(config, "refresh", json!("never"));
                put(config, "client_documents", json!({ "enabled": false }));
            },
            "/.well-known/oauth-authorization-server",
        ),
    );
    book.one(
        case("resource-scopes", "A resource names the scopes that mean something there, never offline_access.", "RFC 9728 §2; MCP SEP-2207; T-29", "The least that basic use needs.", "200"),
        with(
            |config| {
                let resource = json!({ "resource": "https://mcp.example/mcp", "scopes": ["notes:read"], "documentation": "https://mcp.example/docs" });
                put(config, "resources", json!([resource]));
                let scopes = json!([{ "name": "notes:read" }, { "name": "notes:write", "default": false }, { "name": "offline_access" }]);
                put(config, "scopes", scopes);
            },
            "/.well-known/oauth-protected-resource/mcp",
        ),
    );
    book.one(
        case("document", "The host may add a document.", "RFC 8615 §3", "What else discovery wants.", "200"),
        with(
            |config| put(config, "documents", json!([{ "path": "/.well-known/security.txt", "content_type": "text/plain", "body": "Contact: mailto:security@as.example\n" }])),
            "/.well-known/security.txt",
        ),
    );
}
