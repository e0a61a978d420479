//! The worked example's subject: a host over HTTP, with the browser of a user who signs in with a form and says yes.
//! Another host differs in [`Browser::sign_in`] and [`Browser::consent`] alone.

use crate::wire::exchange;
use lockstep_oauth::generators::Target;
use lockstep_oauth::generators::invariants::Subject;
use lockstep_oauth::generators::requests::{get, post};
use lockstep_oauth::http::{HttpRequest, HttpResponse};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A host with the paths, people and clients of `examples/python-fastapi-mcp`.
pub struct Browser {
    base: String,
    cookies: BTreeMap<String, String>,
    began: Instant,
    /// How many requests were sent.
    pub requests: u64,
    /// How many seconds may still be waited for; then time is not waited for any more.
    pub patience_seconds: u64,
}

impl Browser {
    /// The host at `base`, such as `http://127.0.0.1:8787`.
    pub fn new(base: &str) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { base, cookies: BTreeMap::new(), began: Instant::now(), requests: 0, patience_seconds: 6 }
    }

    /// What the generators have to know about it.
    pub fn target(&self, retry_window_seconds: u64) -> Target {
        Target {
            issuer: self.base.clone(),
            client_id: "demo-public".to_owned(),
            other_client_id: "demo-other".to_owned(),
            redirect_uri: "https://client.example/cb".to_owned(),
            resource: format!("{}/api", self.base),
            retry_window_seconds,
            ..Target::default()
        }
    }

    /// A request of the browser: with its cookies, which the answer may change.
    fn browse(&mut self, mut request: HttpRequest) -> HttpResponse {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !pairs.is_empty() {
            request.headers.push(("Cookie".to_owned(), pairs.join("; ").into_bytes()));
        }
        if request.method == "POST" {
            request.headers.push(("Origin".to_owned(), self.base.clone().into_bytes()));
            request.headers.push(("Sec-Fetch-Site".to_owned(), b"same-origin".to_vec()));
        }
        let response = self.send(&request);
        for (_, value) in response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            if let Some((name, value)) = value.split(';').next().and_then(|pair| pair.split_once('=')) {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }

    /// Follows the server to its login, and comes back with the answer to the request.
    fn sign_in(&mut self, location: &str) -> HttpResponse {
        let query = location.split_once('?').map_or("", |(_, query)| query);
        let way_back = lockstep_oauth::http::Form::parse(query.as_bytes(), 1 << 14).unwrap_or_default();
        let next = way_back.one("next").ok().flatten().unwrap_or("/").to_owned();
        let form = [("username", "alice"), ("password", "wonderland"), ("next", &next)];
        let signed_in = self.browse(post("/login", &form.map(|(name, value)| (name.to_owned(), value.to_owned()))));
        let location = signed_in.header("location").unwrap_or_default();
        let path = location.strip_prefix(&self.base).unwrap_or(location);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        self.browse(HttpRequest { query: query.as_bytes().to_vec(), ..get(path, &[]) })
    }

    /// Says yes on the consent page.
    fn consent(&mut self, page: &HttpResponse) -> HttpResponse {
        let page = String::from_utf8_lossy(&page.body).into_owned();
        let hidden = |name: &str| {
            let field = page.split_once(&format!("name=\"{name}\" value=\"")).map_or("", |(_, rest)| rest);
            (name.to_owned(), field.split('"').next().unwrap_or_default().to_owned())
        };
        let decision = ("decision".to_owned(), "approve".to_owned());
        self.browse(post("/consent", &[hidden("ticket"), hidden("seal"), decision]))
    }
}

impl Subject for Browser {
    fn send(&mut self, request: &HttpRequest) -> HttpResponse {
        self.requests += 1;
        let authority = self.base.split_once("://").map_or("", |(_, authority)| authority);
        // A server that gives no answer has broken, and is held to that.
        exchange(authority, request).unwrap_or_else(|_| HttpResponse::empty(500))
    }

    fn approve(&mut self, request: &HttpRequest) -> HttpResponse {
        let mut response = self.browse(request.clone());
        let to_login = response.header("location").filter(|location| location.contains("/login?"));
        if let Some(location) = to_login.map(str::to_owned) {
            response = self.sign_in(&location);
        }
        if response.status == 200 { self.consent(&response) } else { response }
    }

    fn honours(&mut self, access_token: &str) -> bool {
        let mut request = get("/api/notes", &[]);
        request.headers.push(("Authorization".to_owned(), format!("Bearer {access_token}").into_bytes()));
        self.send(&request).status == 200
    }

    fn wait(&mut self, seconds: u64) {
        if let Some(left) = self.patience_seconds.checked_sub(seconds) {
            self.patience_seconds = left;
            std::thread::sleep(Duration::from_secs(seconds));
        }
    }

    fn milliseconds(&mut self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
