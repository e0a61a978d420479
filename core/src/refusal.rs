//! Every refusal there is: one table. A right answer for a wrong reason has another id, so tests notice.

/// Why a request was refused: what the peer is told, and what the operator should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// A stable id for logs, tests and [`explain`].
    pub id: &'static str,
    /// The HTTP status; 302 for those that go to the client's redirect.
    pub status: u16,
    /// The error code of the protocol.
    pub error: &'static str,
    /// What the peer is told: safe to show, and never more than this.
    pub sentence: &'static str,
    /// The section that demands it.
    pub specification: &'static str,
    /// What the operator or the client's author can do.
    pub advice: &'static str,
}

/// The refusal of that id.
pub fn explain(id: &str) -> Option<&'static Refusal> {
    ALL.iter().copied().find(|refusal| refusal.id == id)
}

macro_rules! refusals {
    ($($name:ident = $id:literal, $status:literal, $error:literal, $sentence:literal, $specification:literal, $advice:literal;)*) => {
        /// Every refusal, in the order of the table.
        pub static ALL: &[&Refusal] = &[$(&$name),*];
        $(
            #[doc = $sentence]
            pub static $name: Refusal = Refusal {
                id: $id, status: $status, error: $error, sentence: $sentence, specification: $specification, advice: $advice,
            };
        )*
    };
}

refusals! {
    NOT_FOUND = "http.not_found", 404, "invalid_request",
        "There is nothing at this address.",
        "RFC 9110 §15.5.5", "The path is not one of this server's endpoints, or the endpoint is switched off. Compare it with the metadata document.";
    METHOD = "http.method", 405, "invalid_request",
        "This endpoint does not support that method.",
        "RFC 9110 §15.5.6", "The `Allow` header names the methods that work.";
    FRAMING = "http.framing", 400, "invalid_request",
        "The request says in two ways how long it is.",
        "RFC 9112 §6.1", "`Transfer-Encoding` beside `Content-Length`: a proxy and the server may disagree on where the request ends, which is how requests are smuggled. The client, or a proxy, must send one.";
    UNAVAILABLE = "server.unavailable", 503, "temporarily_unavailable",
        "The server cannot answer right now. Try again in a moment.",
        "RFC 6749 §4.1.2.1", "The store failed, a write would not settle after three tries, a key is missing, or the host could not decide; the event's detail says which. Nothing was lost; the client may retry.";
    PARAMETER_REPEATED = "request.parameter.repeated", 400, "invalid_request",
        "A parameter that may appear once appears more often.",
        "OAuth 2.1-15 §3.2", "The detail names the parameter. The client's author must send it once.";
    CLIENT_MISSING = "client.missing", 401, "invalid_client",
        "The request does not say which client it is from.",
        "OAuth 2.1-15 §2.4", "Send `client_id`, or authenticate with one of the methods in the metadata.";
    CLIENT_UNKNOWN = "client.unknown", 401, "invalid_client",
        "This client is not known here.",
        "OAuth 2.1-15 §3.2.4", "The identifier is neither configured nor registered, or its registration has expired or was deleted. The client should register again, or use a client document.";
    CLIENT_DISABLED = "client.disabled", 401, "invalid_client",
        "This client is disabled.",
        "OAuth 2.1-15 §3.2.4", "The operator has disabled it in the configuration.";
    CLIENT_SEVERAL = "client.several_methods", 400, "invalid_request",
        "The request authenticates the client in more than one way.",
        "OAuth 2.1-15 §2.4", "Use one of the header, the secret in the body, and the assertion.";
    CLIENT_MISMATCH = "client.mismatch", 400, "invalid_request",
        "The request names two different clients.",
        "RFC 7521 §4.2", "`client_id` must agree with the header or with the assertion's `sub`.";
    CLIENT_BASIC = "client.basic.malformed", 401, "invalid_client",
        "The Authorization header cannot be read.",
        "RFC 7617 §2", "Send `Basic` with base64(id:secret), each half form-encoded.";
    CLIENT_METHOD = "client.method", 401, "invalid_client",
        "The client must authenticate in the way it is registered for.",
        "OAuth 2.1-15 §2.4", "The client has no secret but sent one, or authenticates by key but sent a secret.";
    CLIENT_SECRET = "client.secret", 401, "invalid_client",
        "The client's secret is wrong.",
        "OAuth 2.1-15 §2.4.1", "Compare the secret with the configuration. Many of these from one peer are an attack; they are limited.";
    CLIENT_UNAUTHENTICATED = "client.unauthenticated", 401, "invalid_client",
        "This client must authenticate.",
        "OAuth 2.1-15 §3.2.2", "A confidential client sent its identifier only. For a client document, its author has switched to `private_key_jwt`.";
    CLIENT_LIMITED = "client.limited", 429, "invalid_client",
        "Too many wrong credentials. Try again later.",
        "OAuth 2.1-15 §2.4.1", "One peer sent too many wrong credentials for this client. Others are not affected.";
    ASSERTION_TYPE = "client.assertion.type", 401, "invalid_client",
        "The type of the client assertion is not supported.",
        "RFC 7523 §2.2", "Send `client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.";
    ASSERTION_MALFORMED = "client.assertion.malformed", 401, "invalid_client",
        "The client assertion cannot be read.",
        "RFC 7515 §3", "It must be a compact JWS with a supported algorithm and a client's type; the detail says what is wrong.";
    ASSERTION_KEY = "client.assertion.key", 401, "invalid_client",
        "No key of this client fits the assertion.",
        "RFC 7515 §4.1.4", "The `kid` is unknown, ambiguous, or its key is of another algorithm. After a key change the set is fetched again, within limits.";
    ASSERTION_SIGNATURE = "client.assertion.signature", 401, "invalid_client",
        "The client assertion's signature is wrong.",
        "RFC 7515 §5.2", "It was signed with another key, or changed on the way.";
    ASSERTION_CLAIMS = "client.assertion.claims", 401, "invalid_client",
        "The client assertion's claims do not fit.",
        "RFC 7523 §3", "`iss` and `sub` are the client, `aud` is the issuer as one string, `exp` is near and `jti` present; the detail says which failed. `older_audiences` lets one client send the token endpoint's URL.";
    ASSERTION_REPLAYED = "client.assertion.replayed", 401, "invalid_client",
        "This client assertion was used before.",
        "RFC 7523 §3", "A client makes a new assertion with a new `jti` for each request.";
    KEYS_UNREACHABLE = "client.keys.unreachable", 401, "invalid_client",
        "The client's keys cannot be fetched.",
        "RFC 7591 §2", "The key set's host did not answer properly, and no good copy is left. The detail says what happened.";
    DOCUMENT_URL = "client.document.url", 401, "invalid_client",
        "The client's identifier is not a URL that may name a client document.",
        "CIMD-01 §3", "https, a path, no query, no fragment, no user, no dot segments, no special-use address.";
    DOCUMENT_SELF = "client.document.self", 401, "invalid_client",
        "The client's identifier points at this server itself.",
        "CIMD-01 §6.5", "A client document is hosted by the client, not by the authorization server.";
    DOCUMENT_TRUST = "client.document.trust", 401, "invalid_client",
        "Applications from this host are not accepted here.",
        "CIMD-01 §6.8", "The host is on the deny list, or not on the allow list, of `client_documents`.";
    DOCUMENT_BUDGET = "client.document.budget", 429, "invalid_client",
        "Too many requests for this client's document. Try again later.",
        "CIMD-01 §6.6", "More fetches from one host than `client_documents.per_minute` allows: an attack on that host, or many clients behind it.";
    DOCUMENT_UNREACHABLE = "client.document.unreachable", 401, "invalid_client",
        "The client's document cannot be fetched.",
        "CIMD-01 §4.3", "Its host did not answer, and no good copy is left. The detail says what happened.";
    DOCUMENT_STATUS = "client.document.status", 401, "invalid_client",
        "The client's document is not there.",
        "CIMD-01 §4", "Only status 200 counts; redirects are not followed.";
    DOCUMENT_MEDIA_TYPE = "client.document.media_type", 401, "invalid_client",
        "The client's document has the wrong media type.",
        "CIMD-01 §4.1", "Serve it as `application/json`, or a more specific `+json`.";
    DOCUMENT_JSON = "client.document.json", 401, "invalid_client",
        "The client's document cannot be read.",
        "CIMD-01 §4.1", "One JSON object of at most 5 KB, no member twice, nothing after it.";
    DOCUMENT_MISMATCH = "client.document.mismatch", 401, "invalid_client",
        "The client's document is for another client.",
        "CIMD-01 §4.1", "`client_id` in it must be the URL it is fetched from, character by character.";
    DOCUMENT_FIELDS = "client.document.fields", 401, "invalid_client",
        "The client's document does not say what it must.",
        "CIMD-01 §4.1", "The detail names the field.";
    DOCUMENT_REDIRECT = "client.document.redirect", 401, "invalid_client",
        "The client's document names a redirect that is not allowed.",
        "CIMD-01 §4.5", "https, http on loopback, or an allowed private-use scheme; the detail names the redirect.";
    AUTHORIZE_MALFORMED = "authorize.malformed", 400, "invalid_request",
        "The request cannot be read.",
        "OAuth 2.1-15 §3.1", "A percent sign without two digits, bytes that are not UTF-8, or a body that is not a form.";
    AUTHORIZE_LIMITS = "authorize.limits", 400, "invalid_request",
        "The request is too large.",
        "OAuth 2.1-15 §3.1", "At most 16 KiB of query and 100 parameters.";
    AUTHORIZE_REPEATED = "authorize.repeated", 400, "invalid_request",
        "The request names its client or its redirect more than once.",
        "OAuth 2.1-15 §3.1", "An attack by parameter pollution, or a broken client.";
    AUTHORIZE_CLIENT_MISSING = "authorize.client.missing", 400, "invalid_request",
        "The request does not say which application it is from.",
        "OAuth 2.1-15 §4.1.1", "Send `client_id`.";
    AUTHORIZE_CLIENT_UNKNOWN = "authorize.client.unknown", 400, "invalid_client",
        "This application is not known here.",
        "OAuth 2.1-15 §4.1.2.1", "The identifier holds control characters.";
    AUTHORIZE_REDIRECT_MISSING = "authorize.redirect.missing", 400, "invalid_request",
        "The request does not say where the answer should go.",
        "OAuth 2.1-15 §2.3.2", "Send `redirect_uri`.";
    AUTHORIZE_REDIRECT = "authorize.redirect", 400, "invalid_request",
        "The answer would go to an address that this application has not registered.",
        "OAuth 2.1-15 §2.3.1", "The redirect must equal a registered one byte for byte; only the port of http loopback may differ. The detail shows both.";
    AUTHORIZE_PARAMETER_REPEATED = "authorize.parameter.repeated", 302, "invalid_request",
        "A parameter that may appear once appears more often.",
        "OAuth 2.1-15 §3.1", "The detail names the parameter.";
    AUTHORIZE_STATE = "authorize.state", 302, "invalid_request",
        "The state is longer than 2048 bytes.",
        "OAuth 2.1-15 §4.1.1", "Keep large state in the client and send a reference to it.";
    AUTHORIZE_REQUEST = "authorize.request", 302, "request_not_supported",
        "Request objects are not supported.",
        "RFC 9101 §6.2", "Send plain parameters.";
    AUTHORIZE_REQUEST_URI = "authorize.request_uri", 302, "request_uri_not_supported",
        "Request URIs are not supported.",
        "RFC 9101 §6.2", "Send plain parameters. Nothing was fetched.";
    AUTHORIZE_RESPONSE_TYPE_MISSING = "authorize.response_type.missing", 302, "invalid_request",
        "The request does not say which response type it wants.",
        "OAuth 2.1-15 §4.1.1", "Send `response_type=code`.";
    AUTHORIZE_RESPONSE_TYPE = "authorize.response_type", 302, "unsupported_response_type",
        "Only the response type code is supported.",
        "OAuth 2.1-15 §4.1.2.1", "Send `response_type=code`, in lower case.";
    AUTHORIZE_RESPONSE_MODE = "authorize.response_mode", 302, "invalid_request",
        "Only the response mode query is supported.",
        "OAuth 2.0 Multiple Response Types §2.1", "Leave `response_mode` out.";
    AUTHORIZE_CLIENT_GRANT = "authorize.client.grant", 302, "unauthorized_client",
        "This client may not use the authorization code grant.",
        "OAuth 2.1-15 §4.1.2.1", "Its `grant_types` do not hold `authorization_code`.";
    AUTHORIZE_CHALLENGE_MISSING = "authorize.challenge.missing", 302, "invalid_request",
        "A code challenge is required.",
        "RFC 7636 §4.4.1", "Every client uses PKCE here.";
    AUTHORIZE_CHALLENGE_METHOD = "authorize.challenge.method", 302, "invalid_request",
        "The code challenge method must be S256.",
        "RFC 7636 §4.3", "Send `code_challenge_method=S256`; a missing method means plain, which is not accepted.";
    AUTHORIZE_CHALLENGE = "authorize.challenge", 302, "invalid_request",
        "The code challenge is malformed.",
        "RFC 7636 §4.2", "43 characters of base64url without padding.";
    AUTHORIZE_RESOURCE = "authorize.resource", 302, "invalid_target",
        "The resource is not known here.",
        "RFC 8707 §2", "Send the `resource` of the protected resource metadata, character by character. `aliases` lets the operator name other spellings.";
    AUTHORIZE_RESOURCE_MISSING = "authorize.resource.missing", 302, "invalid_target",
        "The request must say which resource it is for.",
        "RFC 8707 §2.1", "There are several resources here, so there is no default.";
    AUTHORIZE_RESOURCES = "authorize.resources", 302, "invalid_target",
        "One request may name one resource.",
        "RFC 8707 §3", "Ask once for each resource.";
    AUTHORIZE_SCOPE = "authorize.scope.malformed", 302, "invalid_scope",
        "The scope holds characters that no scope has.",
        "OAuth 2.1-15 §1.4.1", "Printable ASCII without quotes and backslashes, separated by spaces.";
    AUTHORIZE_SCOPE_UNKNOWN = "authorize.scope.unknown", 302, "invalid_scope",
        "The scope is not known here.",
        "OAuth 2.1-15 §1.4.1", "`unknown_scopes=drop` would drop it instead.";
    AUTHORIZE_TOO_LARGE = "authorize.too_large", 400, "invalid_request",
        "The request is too large to be kept.",
        "RFC 9110 §15.5.14", "The ticket or the grant would exceed its limit: shorten `state`, the scopes, or the user's claims.";
    ACCESS_DENIED = "authorize.denied", 302, "access_denied",
        "The user did not allow this.",
        "OAuth 2.1-15 §4.1.2.1", "No fault: the user said no.";
    TICKET_INVALID = "consent.ticket.invalid", 400, "invalid_request",
        "This page is no longer valid.",
        "OAuth 2.1-15 §7.11", "The ticket was changed, or was made under a key that is gone.";
    TICKET_EXPIRED = "consent.ticket.expired", 400, "invalid_request",
        "This page was open for too long.",
        "OAuth 2.1-15 §7.11", "`ticket_seconds` is how long a user has.";
    TICKET_BROWSER = "consent.ticket.browser", 400, "invalid_request",
        "This page was opened in another browser.",
        "RFC 9700 §4.7", "The browser's cookie does not fit: cookies are blocked, or somebody sent the user a page of their own.";
    CONSENT_FORM = "consent.form", 400, "invalid_request",
        "This form cannot be read.",
        "OAuth 2.1-15 §7.11", "A field is missing, repeated or malformed.";
    CONSENT_ORIGIN = "consent.origin", 403, "invalid_request",
        "This form was sent by another site.",
        "RFC 9700 §4.7", "The `Origin` or `Sec-Fetch-Site` header is foreign. Behind a proxy, check that the issuer is the address that browsers use.";
    CONSENT_SEAL = "consent.seal", 400, "invalid_request",
        "This form does not belong to this page.",
        "RFC 9700 §4.7", "The seal is missing or belongs to another ticket.";
    CONSENT_USER = "consent.user", 400, "invalid_request",
        "You are signed in as somebody else now.",
        "RFC 9700 §4.7", "The user changed between the page and the answer. Start again.";
    CONSENT_DECIDED = "consent.decided", 400, "invalid_request",
        "This request was already answered.",
        "OAuth 2.1-15 §4.1.2", "The ticket was approved before, by another user, for other scopes, or its code was redeemed.";
    SIGN_IN_TOKEN = "sign_in.token", 401, "access_denied",
        "That token is not valid.",
        "OAuth 2.1-15 §7.7", "A wrong or expired personal access token.";
    TOKEN_MALFORMED = "token.malformed", 400, "invalid_request",
        "The request body cannot be read.",
        "OAuth 2.1-15 §3.2", "A percent sign without two digits, bytes that are not UTF-8, or too many parameters.";
    TOKEN_MEDIA_TYPE = "token.media_type", 400, "invalid_request",
        "The request body must be a form.",
        "OAuth 2.1-15 §3.2", "Send `Content-Type: application/x-www-form-urlencoded`.";
    TOKEN_QUERY = "token.query", 400, "invalid_request",
        "Parameters belong into the body, not into the URL.",
        "OAuth 2.1-15 §2.4.1", "URLs end up in logs; consider what was sent there known to others.";
    TOKEN_GRANT_TYPE_MISSING = "token.grant_type.missing", 400, "invalid_request",
        "The request does not say which grant it uses.",
        "OAuth 2.1-15 §4.1.3", "Send `grant_type`.";
    TOKEN_GRANT_TYPE = "token.grant_type", 400, "unsupported_grant_type",
        "This grant type is not supported.",
        "OAuth 2.1-15 §3.2.4", "`authorization_code` and `refresh_token` are.";
    TOKEN_CLIENT_GRANT = "token.client.grant", 400, "unauthorized_client",
        "This client may not use this grant type.",
        "OAuth 2.1-15 §3.2.4", "Its `grant_types` do not hold it.";
    CODE_MISSING = "token.code.missing", 400, "invalid_request",
        "The request holds no code.",
        "OAuth 2.1-15 §4.1.3", "Send `code`.";
    CODE_UNKNOWN = "token.code.unknown", 400, "invalid_grant",
        "The code is not valid.",
        "OAuth 2.1-15 §4.1.3", "Malformed, forged, of another issuer, or so old that its record is gone.";
    CODE_CLIENT = "token.code.client", 400, "invalid_grant",
        "The code is not valid.",
        "OAuth 2.1-15 §4.1.3", "It was issued to another client. The code is not spent.";
    CODE_REDIRECT = "token.code.redirect", 400, "invalid_grant",
        "The redirect is not the one that was used.",
        "RFC 6749 §4.1.3", "Send the `redirect_uri` of the authorization request, or none.";
    CODE_EXPIRED = "token.code.expired", 400, "invalid_grant",
        "The code has expired.",
        "OAuth 2.1-15 §4.1.2", "`code_seconds` is how long a client has.";
    CODE_RACED = "token.code.raced", 400, "invalid_grant",
        "The code was used a moment ago.",
        "OAuth 2.1-15 §4.1.3", "Two requests raced; the other one has the tokens and keeps them.";
    CODE_REUSED = "token.code.reused", 400, "invalid_grant",
        "The code was used before.",
        "OAuth 2.1-15 §7.5.2", "Somebody replayed it, with the right verifier: its grant was revoked.";
    VERIFIER_MISSING = "token.verifier.missing", 400, "invalid_grant",
        "The code verifier is missing.",
        "RFC 7636 §4.5", "Send `code_verifier`. The code is not spent.";
    VERIFIER_MISMATCH = "token.verifier.mismatch", 400, "invalid_grant",
        "The code verifier does not fit.",
        "RFC 7636 §4.6", "It is malformed, or of another flow. The code is not spent.";
    REFRESH_MISSING = "token.refresh.missing", 400, "invalid_request",
        "The request holds no refresh token.",
        "OAuth 2.1-15 §4.3.1", "Send `refresh_token`.";
    REFRESH_UNKNOWN = "token.refresh.unknown", 400, "invalid_grant",
        "The refresh token is not valid.",
        "OAuth 2.1-15 §4.3.1", "Malformed, forged, of another kind or issuer, or so old that its record is gone.";
    REFRESH_CLIENT = "token.refresh.client", 400, "invalid_grant",
        "The refresh token is not valid.",
        "OAuth 2.1-15 §4.3.1", "It was issued to another client. The grant is untouched.";
    REFRESH_EXPIRED = "token.refresh.expired", 400, "invalid_grant",
        "The refresh token has expired.",
        "OAuth 2.1-15 §4.3.3", "`idle_seconds` or `absolute_seconds` has passed. The user signs in again.";
    REFRESH_RACED = "token.refresh.raced", 400, "invalid_grant",
        "The refresh token was used a moment ago.",
        "OAuth 2.1-15 §4.3.1", "Two requests raced and there is no retry window; the other one has the tokens.";
    REFRESH_REUSED = "token.refresh.reused", 400, "invalid_grant",
        "The refresh token was used before.",
        "OAuth 2.1-15 §4.3.1", "A copy of it is in other hands, or a client kept an old one: the grant was revoked.";
    REFRESH_OVER_BUDGET = "token.refresh.over_budget", 400, "invalid_grant",
        "The refresh token was used too often.",
        "OAuth 2.1-15 §4.3.1", "More generations in a row were presented twice than `overlap_budget` allows: the grant was revoked.";
    REFRESH_AHEAD = "token.refresh.ahead", 400, "invalid_grant",
        "The refresh token is not valid.",
        "RFC 9700 §4.14", "It is genuine but newer than the store: the store has lost a write that it had acknowledged. Check replication and durability. Nothing was revoked.";
    REFRESH_REFUSED = "token.refresh.refused", 400, "invalid_grant",
        "This user may not refresh.",
        "OAuth 2.1-15 §4.3.3", "The host said so.";
    GRANT_DEAD = "token.grant.dead", 400, "invalid_grant",
        "The grant has ended.",
        "OAuth 2.1-15 §4.3.1", "It was revoked, the user signed out everywhere or was disabled, or it has no refresh tokens.";
    TOKEN_RESOURCE = "token.resource", 400, "invalid_target",
        "The resource is not part of this grant.",
        "RFC 8707 §2.2", "The detail names it.";
    TOKEN_RESOURCES = "token.resources", 400, "invalid_target",
        "One token is for one resource.",
        "RFC 8707 §2.2", "Ask once for each resource.";
    TOKEN_SCOPE_MALFORMED = "token.scope.malformed", 400, "invalid_scope",
        "The scope holds characters that no scope has.",
        "OAuth 2.1-15 §1.4.1", "Printable ASCII without quotes and backslashes, separated by spaces.";
    TOKEN_SCOPE = "token.scope", 400, "invalid_scope",
        "The scope exceeds what the user approved.",
        "OAuth 2.1-15 §4.3.1", "Authorize again to get more.";
    REVOKE_TOKEN_MISSING = "revoke.token.missing", 400, "invalid_request",
        "The request holds no token.",
        "RFC 7009 §2.1", "Send `token`.";
    REVOKE_JWT = "revoke.jwt", 400, "unsupported_token_type",
        "A signed access token cannot be revoked; revoke its refresh token.",
        "RFC 7009 §2.2.1", "A JWT dies by its expiry. Revoking the refresh token ends the grant.";
    INTROSPECT_CALLER = "introspect.caller", 401, "invalid_client",
        "This client may not introspect.",
        "RFC 7662 §2.1", "Set `introspects` on a confidential client of the configuration.";
    REGISTER_TOKEN = "register.token", 401, "invalid_token",
        "Registration needs an initial access token.",
        "RFC 7591 §3", "Send one of the configured tokens as Bearer.";
    REGISTER_MEDIA_TYPE = "register.media_type", 400, "invalid_client_metadata",
        "The request body must be JSON.",
        "RFC 7591 §3.1", "Send `Content-Type: application/json`.";
    REGISTER_METADATA = "register.metadata", 400, "invalid_client_metadata",
        "The client metadata is not acceptable.",
        "RFC 7591 §3.2.2", "The detail names the field.";
    REGISTER_REDIRECT = "register.redirect", 400, "invalid_redirect_uri",
        "A redirect URI is not acceptable.",
        "RFC 7591 §3.2.2", "https, http on loopback, or an allowed private-use scheme; no fragment, no wildcard; the detail names it.";
    REGISTER_LIMITED = "register.limited", 429, "invalid_request",
        "Too many registrations. Try again later.",
        "RFC 7591 §5", "One peer registered more than `registration.per_hour` clients.";
    MANAGE_TOKEN = "register.manage.token", 401, "invalid_token",
        "The registration access token is not valid.",
        "RFC 7592 §2", "The same answer for unknown clients, wrong tokens and deleted registrations.";
    BEARER_MISSING = "bearer.missing", 401, "invalid_token",
        "Authorization is required.",
        "RFC 6750 §3", "The ordinary first answer: the client reads `resource_metadata` and starts the flow.";
    BEARER_MALFORMED = "bearer.malformed", 400, "invalid_request",
        "The Authorization header cannot be read.",
        "RFC 6750 §3.1", "Send `Bearer` and one token.";
    BEARER_SEVERAL = "bearer.several", 400, "invalid_request",
        "The request holds more than one token.",
        "RFC 6750 §2", "One token, in the header.";
    BEARER_INVALID = "bearer.invalid", 401, "invalid_token",
        "The access token is not valid.",
        "RFC 6750 §3.1", "Malformed, forged, of another issuer or kind, or its grant is gone.";
    BEARER_EXPIRED = "bearer.expired", 401, "invalid_token",
        "The access token has expired.",
        "RFC 6750 §3.1", "No fault: the client refreshes.";
    BEARER_REVOKED = "bearer.revoked", 401, "invalid_token",
        "The access token was revoked.",
        "RFC 6750 §3.1", "The grant, the token or the client is gone, or the user signed out everywhere.";
    BEARER_AUDIENCE = "bearer.audience", 401, "invalid_token",
        "The access token is for another resource.",
        "RFC 8707 §2", "The client must ask for this resource. The detail names the token's.";
    BEARER_SCOPE = "bearer.scope", 403, "insufficient_scope",
        "The access token lacks a scope that this operation needs.",
        "RFC 6750 §3.1", "The challenge names all scopes that the operation needs; the client asks the user again.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_refusal_has_an_id_of_its_own() {
        let ids: BTreeSet<&str> = ALL.iter().map(|refusal| refusal.id).collect();
        assert_eq!(ids.len(), ALL.len());
        assert!(ALL.iter().all(|refusal| explain(refusal.id) == Some(*refusal)));
    }

    #[test]
    fn every_sentence_fits_into_an_error_description() {
        for refusal in ALL {
            let fits = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert!(refusal.sentence.bytes().all(fits) && !refusal.sentence.is_empty(), "{}", refusal.id);
            assert!(!refusal.advice.is_empty() && !refusal.specification.is_empty(), "{}", refusal.id);
            assert!(matches!(refusal.status, 302 | 400..=499 | 503), "{}", refusal.id);
        }
    }
}
