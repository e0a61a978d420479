//! The management of a registration.

use super::{Book, case};
use crate::fixture::{REDIRECT, body, manage, put, register};
use crate::world::{Fault, World};
use serde_json::{Value, json};

struct Registered {
    world: World,
    id: String,
    token: String,
    secret: String,
}

fn registered(method: &str) -> Registered {
    let mut world = World::with(|config| put(config, "registration", json!({ "mode": "open" })));
    let metadata = json!({ "client_name": "Self Made", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": method });
    let told = body(&world.send(register(&metadata)));
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (id, token, secret) = (text("client_id"), text("registration_access_token"), text("client_secret"));
    Registered { world, id, token, secret }
}

impl Registered {
    fn send(mut self, method: &str, changes: &[&str]) -> World {
        self.world.send(manage(method, &self.id, &self.token).but(changes));
        self.world
    }

    /// Replaces the registration; null removes a member.
    fn put(self, change: &[(&str, Value)]) -> World {
        let mut metadata = json!({
            "client_id": self.id, "client_name": "Renamed", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none",
        });
        for (name, value) in change {
            put(&mut metadata, name, value.clone());
        }
        let body = format!("!{metadata}");
        self.send("PUT", &["@Content-Type: application/json", &body])
    }
}

pub(super) fn scenarios(book: &mut Book) {
    book.one(case("read", "A client reads its registration.", "RFC 7592 §2.1", "And is told its token again, but no secret.", "200"), || registered("client_secret_post").send("GET", &[]));
    book.one(case("replaced", "An update replaces all of the registration.", "RFC 7592 §2.2", "What is left out is gone.", "200"), || registered("none").put(&[]));
    book.one(case("secret-kept", "An update keeps the secret that is there.", "RFC 7592 §2.2", "And does not tell it again.", "200"), || registered("client_secret_basic").put(&[("token_endpoint_auth_method", json!("client_secret_basic"))]));
    book.one(case("secret-given", "A client that had no secret and needs one is told it.", "RFC 7592 §2.2", "Once.", "200"), || registered("none").put(&[("token_endpoint_auth_method", json!("client_secret_basic"))]));
    book.one(
        case("secret-dropped", "An update may name the secret that it drops.", "RFC 7592 §2.2", "After the write there is none to compare with.", "200"),
        || {
            let registered = registered("client_secret_basic");
            let secret = json!(registered.secret);
            registered.put(&[("client_secret", secret)])
        },
    );
    book.one(case("deleted", "A client deletes its registration.", "RFC 7592 §2.3; D-26", "Its tokens die with it.", "204"), || registered("none").send("DELETE", &[]));
    book.one(case("no-token", "Without its token nothing opens.", "RFC 7592 §2; D-21", "The identifier is public.", "register.manage.token"), || registered("none").send("GET", &["@-Authorization"]));
    book.one(case("wrong-token", "With another token nothing opens.", "RFC 7592 §2; D-21", "The same.", "register.manage.token"), || registered("none").send("GET", &["@Authorization: Bearer lsm_nonsense"]));
    book.one(case("unknown-client", "An unknown client is answered like a wrong token.", "RFC 7592 §2; D-21", "Nobody learns which identifiers exist.", "register.manage.token"), || registered("none").send("GET", &["/register/client-AAAAAAAAAAAAAAAAAAAAAA"]));
    book.one(case("configured-client", "A configured client has no registration to manage.", "RFC 7592 §2; D-21", "The same answer.", "register.manage.token"), || registered("none").send("GET", &["/register/web"]));
    book.one(
        case("after-deletion", "A deleted registration opens no more.", "RFC 7592 §2.3; D-26", "The same answer again.", "register.manage.token"),
        || {
            let mut registered = registered("none");
            registered.world.send(manage("DELETE", &registered.id, &registered.token));
            registered.send("GET", &[])
        },
    );
    book.one(
        case("expired", "A registration that nobody used expires.", "RFC 7592 §2; D-11", "Rows that anybody can make must go away.", "register.manage.token"),
        || {
            let mut registered = registered("none");
            registered.world.wait(86_400);
            registered.send("GET", &[])
        },
    );
    book.one(case("other-id", "An update of another client's identifier is refused.", "RFC 7592 §2.2; D-22", "It must be this client's.", "register.metadata"), || registered("none").put(&[("client_id", json!("client-AAAAAAAAAAAAAAAAAAAAAA"))]));
    book.one(case("wrong-secret", "An update that names a wrong secret is refused.", "RFC 7592 §2.2; D-22", "A client chooses no secret.", "register.metadata"), || registered("client_secret_basic").put(&[("client_secret", json!("lss_other"))]));
    book.one(case("registration-members", "An update must not hold what only the server says.", "RFC 7592 §2.2", "So says the standard.", "register.metadata"), || registered("none").put(&[("registration_access_token", json!("x"))]));
    book.one(case("redirect", "An update is judged like a registration.", "RFC 7592 §2.2; D-25", "No way around the rules.", "register.redirect"), || registered("none").put(&[("redirect_uris", json!(["http://evil.example/cb"]))]));
    book.one(case("form", "A form is no update.", "RFC 7592 §2.2", "JSON is.", "register.media_type"), || registered("none").send("PUT", &["!client_id=x"]));
    book.one(case("method", "The endpoint answers GET, PUT and DELETE.", "RFC 7592 §2", "`Allow` says so.", "http.method"), || registered("none").send("POST", &[]));
    for (fault, slug, title) in [
        (Fault::Conflict, "conflict", "An update that met another one is judged again."),
        (Fault::UnknownApplied, "unknown-applied", "An update that was applied unnoticed is recognised by its stamp."),
        (Fault::UnknownLost, "unknown-lost", "An update that was lost is written again."),
    ] {
        book.one(case(slug, title, "D4; S-02; D-28", "The answer says what the store holds.", "200"), || {
            let mut registered = registered("none");
            registered.world.faults.push_back(fault);
            registered.put(&[("token_endpoint_auth_method", json!("client_secret_basic"))])
        });
    }
    book.one(
        case("deleted-unknown", "A deletion that was applied unnoticed is recognised by its stamp.", "D4; S-02", "204 and not 401.", "204"),
        || {
            let mut registered = registered("none");
            registered.world.faults.push_back(Fault::UnknownApplied);
            registered.send("DELETE", &[])
        },
    );
}
