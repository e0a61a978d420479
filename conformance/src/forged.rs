//! Nothing is accepted that the server did not give out: tokens, codes, tickets, seals, cookies, assertions; and no record,
//! whatever its bytes, does harm.
#![allow(clippy::expect_used, reason = "a property fails by panicking")]

use crate::exchange_properties::check_answer;
use crate::hostile::{DOCUMENT_URL, NOW, Tape, World, env};
use lockstep_oauth::authorization_server::Answer;
use lockstep_oauth::http::HttpRequest;
use lockstep_oauth::protected_resource::{CheckRequest, Checked};
use serde_json::Value;

/// The words of a world that are worth forging.
const WORDS: [u8; 17] = [1, 2, 3, 4, 6, 8, 11, 12, 14, 15, 24, 25, 26, 27, 28, 30, 31];

/// The first byte chooses a world, the second one of its texts; the others change it: three bytes are a place, what is
/// done there, and with which letter. Changed or not, it is accepted in no place but its own.
pub fn forged_text(data: &[u8]) {
    let (mut tape, edits) = Tape::split(data, 2);
    let world = World::new(tape.byte());
    let word = WORDS.get(usize::from(tape.byte()) % WORDS.len()).copied().unwrap_or_default();
    let mut text = world.expand(&[word]);
    for edit in edits.chunks_exact(3).take(8) {
        let [place, change, letter] = edit else { continue };
        let at = (usize::from(*place) + usize::from(change / 4) * 256) % text.len().max(1);
        match change % 4 {
            0 if at < text.len() => drop(text.splice(at..=at, [*letter])),
            1 => text.insert(at, *letter),
            2 if at < text.len() => drop(text.remove(at)),
            3 => text.truncate(at),
            _ => {}
        }
    }
    let own = |places: &[u8]| places.iter().any(|place| world.expand(&[*place]) == text);
    let spelled = encoded(&text);
    let form = |name: &str| format!("{name}={spelled}");

    // What may be refused in its own place is refused for its time or state, which other properties look at.
    let accepted = bearer(&world, &text);
    // Blanks around a header's value are no part of it.
    assert!(!accepted || own_trimmed(&world, &[4, 6], &text), "the bearer check");
    let introspected = post(&world, "/introspect", form("token").as_bytes(), 1);
    assert!(!active(&introspected) || own(&[1, 2, 3, 4, 6, 27]), "introspection");
    let asserted = form("token=x&client_assertion_type=\x14&client_assertion");
    assert!(post(&world, "/introspect", asserted.as_bytes(), 7).response.status != 200 || own(&[15]), "an assertion");
    let secret = format!("token=x&client_id=secret&client_secret={spelled}");
    assert_ne!(post(&world, "/introspect", secret.as_bytes(), 7).response.status, 200, "a secret");
    let code = form("grant_type=authorization_code&client_id=public&code_verifier=\x05&code");
    assert!(post(&world, "/token", code.as_bytes(), 7).response.status != 200 || own(&[1]), "a code");
    let refresh = form("grant_type=refresh_token&client_id=public&refresh_token");
    assert!(post(&world, "/token", refresh.as_bytes(), 7).response.status != 200 || own(&[2, 3]), "a refresh token");
    for (consent, places) in
        [(form("seal=\x1f&decision=approve&ticket"), [30]), (form("ticket=\x1e&decision=approve&seal"), [31])]
    {
        let location = post(&world, "/consent", consent.as_bytes(), 0);
        let location = location.response.header("location").unwrap_or_default();
        assert!(!location.contains("code=") || own(&places), "a consent form");
    }
    let cookie = |name: &str| format!("__Host-lockstep{name}={}", String::from_utf8_lossy(&text)).into_bytes();
    // A semicolon ends a cookie, and blanks around one are no part of it.
    if !text.iter().any(|byte| matches!(byte, b';' | b' ' | b'\t'..=b'\r') || !byte.is_ascii()) {
        let mut page = world.request("GET", "/authorize", AUTHORIZE, 7);
        page.headers.push(("Cookie".to_owned(), cookie("-session")));
        let signed_in = world.server.owns("/sign-in");
        assert!(!signed_in || handled(&world, page).response.status != 200 || own(&[24]), "a session");
        let mut consent = world.request("POST", "/consent", b"ticket=\x1e&seal=\x1f&decision=approve&scope=b", 7);
        consent
            .headers
            .push(("Cookie".to_owned(), [cookie(""), world.expand(b"; __Host-lockstep-session=\x18")].concat()));
        consent.headers.push(("Sec-Fetch-Site".to_owned(), b"same-origin".to_vec()));
        let answer = handled(&world, consent);
        let location = answer.response.header("location").unwrap_or_default();
        assert!(!location.contains("code=") || own(&[14]), "a browser");
    }
    let mut manage = world.request("GET", &management(&world), b"", 7);
    manage.headers.push(("Authorization".to_owned(), [b"Bearer ", text.as_slice()].concat()));
    assert!(handled(&world, manage).response.status != 200 || own_trimmed(&world, &[8], &text), "a management token");
    let sign_in = post(&world, "/sign-in", form("token").as_bytes(), 0);
    // A person pastes it, with blanks.
    let pasted = String::from_utf8_lossy(&text).trim().as_bytes().to_vec();
    assert!(sign_in.response.header("set-cookie").is_none() || own_trimmed(&world, &[6], &pasted), "a sign-in");
}

const AUTHORIZE: &[u8] = b"response_type=code&client_id=public&redirect_uri=\x13&code_challenge=\x10&code_challenge_method=S256&resource=\x11&scope=a+b&state=s";

/// The first byte chooses a kind of record, the second a world; the others are what the store gives for every record of
/// that kind. Every exchange that reads one ends, says nothing it should not, and gives nothing away without a write.
pub fn stored_record(data: &[u8]) {
    let (mut tape, value) = Tape::split(data, 2);
    let kind = ["grant", "subject", "client", "cimd", "jwks", "seen"][usize::from(tape.byte()) % 6];
    let mut world = World::new(tape.byte());
    world.replace(kind, value);
    let management = management(&world);
    let document: String = DOCUMENT_URL.replace(':', "%3A").replace('/', "%2F");
    let authorize = |client: &str| {
        let text = String::from_utf8_lossy(AUTHORIZE).replace("client_id=public", &format!("client_id={client}"));
        text.replace("redirect_uri=\x13", "redirect_uri=https%3A%2F%2Fr.example%2Fcb")
    };
    let requests: Vec<HttpRequest> = match kind {
        "grant" | "subject" => vec![
            world.request(
                "POST",
                "/token",
                b"grant_type=authorization_code&client_id=public&code=\x01&code_verifier=\x05",
                7,
            ),
            world.request("POST", "/token", b"grant_type=refresh_token&client_id=public&refresh_token=\x03", 7),
            world.request("POST", "/introspect", b"token=\x04", 1),
            world.request("POST", "/introspect", b"token=\x03", 1),
            world.request("POST", "/revoke", b"token=\x03&client_id=public", 7),
            world.request("POST", "/consent", b"ticket=\x1e&seal=\x1f&decision=approve&scope=b", 0),
        ],
        "client" => vec![
            world.request("GET", &management, b"", 2),
            world.request("PUT", &management, br#"{"redirect_uris":["https://r.example/cb"]}"#, 2),
            world.request("DELETE", &management, b"", 2),
            world.request("GET", "/authorize", authorize("\x07").as_bytes(), 0),
            world.request(
                "POST",
                "/token",
                b"grant_type=refresh_token&client_id=\x07&client_secret=\x1c&refresh_token=\x03",
                7,
            ),
        ],
        "cimd" => vec![
            world.request("GET", "/authorize", authorize(&document).as_bytes(), 0),
            world.request(
                "POST",
                "/token",
                format!("grant_type=refresh_token&client_id={document}&refresh_token=\x03").as_bytes(),
                7,
            ),
        ],
        _ => vec![
            world.request("POST", "/introspect", b"token=\x04&client_assertion=\x1d&client_assertion_type=\x14", 7),
            world.request("POST", "/introspect", b"token=\x04&client_assertion=\x0f&client_assertion_type=\x14", 7),
        ],
    };
    for request in requests {
        let tokens = request.path == "/token";
        let step = world.server.handle(request, env(NOW, 9));
        let (answer, way) = world.clone().drive(step, &mut Tape::split(&[], 0).0, NOW);
        check_answer(&answer, &way, tokens);
    }
    bearer(&world, &world.expand(b"\x04"));
}

fn own_trimmed(world: &World, places: &[u8], text: &[u8]) -> bool {
    let trimmed = text.trim_ascii();
    places.iter().any(|place| world.expand(&[*place]) == trimmed)
}

fn bearer(world: &World, text: &[u8]) -> bool {
    let headers = vec![("authorization".to_owned(), [b"Bearer ", text].concat())];
    let step = world.server.check(CheckRequest { headers, ..CheckRequest::default() }, env(NOW, 9));
    let (checked, _) = world.clone().drive(step, &mut Tape::split(&[], 0).0, NOW);
    matches!(checked, Checked::Allowed(_))
}

fn post(world: &World, path: &str, text: &[u8], style: u8) -> Answer {
    handled(world, world.request("POST", path, text, style))
}

fn handled(world: &World, request: HttpRequest) -> Answer {
    let step = world.server.handle(request, env(NOW, 9));
    world.clone().drive(step, &mut Tape::split(&[], 0).0, NOW).0
}

fn management(world: &World) -> String {
    String::from_utf8_lossy(&world.expand(b"/register/\x07")).into_owned()
}

fn active(answer: &Answer) -> bool {
    serde_json::from_slice::<Value>(&answer.response.body).is_ok_and(|body| body["active"] == true)
}

/// Any bytes as the value of a form.
fn encoded(text: &[u8]) -> String {
    url::form_urlencoded::byte_serialize(text).collect()
}
