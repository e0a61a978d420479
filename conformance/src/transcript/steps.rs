//! What an exchange asks and what it is answered, as JSON; answers are read back.

use super::fields::{Fields, bytes_json, text};
use super::{Read, Unreadable, wrong};
use lockstep_oauth::address::AddressRule;
use lockstep_oauth::authorization_server::Answer;
use lockstep_oauth::authorization_server::operations::{Operated, OperationOutcome};
use lockstep_oauth::http::{FetchRequest, Fetched, HttpResponse};
use lockstep_oauth::protected_resource::{Checked, IdentityKind};
use lockstep_oauth::question::{ConsentQuestion, Decision, Question, SignInQuestion, User};
use lockstep_oauth::store::{Record, Write};
use serde_json::{Value, json};

// --- What an exchange asks --------------------------------------------------------------------------------------------

/// A write as JSON.
pub fn write_json(write: &Write) -> Value {
    let Write { key, expect, version, value, expires_at, labels } = write;
    json!({
        "key": key.as_str(), "expect": expect, "version": version, "value": bytes_json(value), "expires_at": expires_at,
        "labels": { "subject": labels.subject, "client": labels.client },
    })
}

/// A fetch as JSON.
pub fn fetch_json(request: &FetchRequest) -> Value {
    let FetchRequest { method, url, headers, body, limit_bytes, timeout_ms, admission, addresses } = request;
    let addresses = match addresses {
        AddressRule::Public => "public",
        AddressRule::PublicOrLoopback => "public_or_loopback",
    };
    json!({
        "method": method, "url": url, "headers": headers, "body": bytes_json(body), "limit_bytes": limit_bytes,
        "timeout_ms": timeout_ms, "addresses": addresses,
        "admission": { "key": admission.key, "limit": admission.limit, "period_seconds": admission.period_seconds },
    })
}

/// A question as JSON.
pub fn question_json(question: &Question) -> Value {
    match question {
        Question::SignIn(SignInQuestion { return_to, client_id, client_name, scopes, resource }) => json!({
            "question": "sign_in", "return_to": return_to, "client_id": client_id, "client_name": client_name,
            "scopes": scopes, "resource": resource,
        }),
        Question::Consent(consent) => consent_json(consent),
        Question::Refresh { subject, client_id, grant_id } => {
            json!({ "question": "refresh", "subject": subject, "client_id": client_id, "grant_id": grant_id })
        }
        Question::Token { token } => json!({ "question": "token", "token": token }),
        Question::Admit { key, limit, period_seconds } => {
            json!({ "question": "admit", "key": key, "limit": limit, "period_seconds": period_seconds })
        }
    }
}

fn consent_json(consent: &ConsentQuestion) -> Value {
    let ConsentQuestion {
        client_id,
        client_name,
        client_host,
        redirect_host,
        redirect_uri,
        loopback,
        known,
        resource,
        scopes,
        user_name,
        action,
        hidden,
    } = consent;
    let shown = scopes
        .iter()
        .map(|scope| json!({ "name": scope.name, "description": scope.description, "optional": scope.optional }));
    json!({
        "question": "consent", "client_id": client_id, "client_name": client_name, "client_host": client_host,
        "redirect_host": redirect_host, "redirect_uri": redirect_uri, "loopback": loopback, "known": known,
        "resource": resource, "scopes": shown.collect::<Value>(), "user_name": user_name, "action": action,
        "hidden": hidden,
    })
}

// --- Answers ----------------------------------------------------------------------------------------------------------

pub(super) fn record_json(record: &Record) -> Value {
    let Record { version, value, expires_at } = record;
    json!({ "version": version, "value": bytes_json(value), "expires_at": expires_at })
}

pub(super) fn read_records(items: Vec<Value>) -> Read<Vec<Option<Record>>> {
    let read = |item: Value| {
        if item.is_null() {
            return Ok(None);
        }
        let mut fields = Fields::of(item)?;
        let record = Record {
            version: fields.number("version")?,
            value: fields.bytes("value")?,
            expires_at: fields.number("expires_at")?,
        };
        fields.end()?;
        Ok(Some(record))
    };
    items.into_iter().map(read).collect()
}

pub(super) fn response_json(response: &HttpResponse) -> Value {
    let HttpResponse { status, headers, body } = response;
    json!({ "status": status, "headers": headers, "body": bytes_json(body) })
}

pub(super) fn read_fetched(mut fields: Fields) -> Read<Fetched> {
    if let Some(reason) = fields.optional("failed") {
        fields.end()?;
        return Ok(Fetched::Failed(text(reason)?));
    }
    if fields.optional("over_budget").is_some() {
        fields.end()?;
        return Ok(Fetched::OverBudget);
    }
    let status = u16::try_from(fields.number("status")?).map_err(|_| Unreadable("status".to_owned()))?;
    let mut headers = Vec::new();
    for (name, value) in fields.headers("headers")? {
        headers.push((name, String::from_utf8(value).map_err(|_| Unreadable("headers".to_owned()))?));
    }
    let response = HttpResponse { status, headers, body: fields.bytes("body")? };
    fields.end()?;
    Ok(Fetched::Response(response))
}

pub(super) fn decision_json(decision: &Decision) -> Value {
    let user_json = |user: &User| json!({ "subject": user.subject, "name": user.name, "claims": user.claims });
    match decision {
        Decision::SignedIn(user) => json!({ "decision": "signed_in", "user": user_json(user) }),
        Decision::SignIn { location } => json!({ "decision": "sign_in", "location": location }),
        Decision::Approve { user, scopes } => {
            json!({ "decision": "approve", "user": user_json(user), "scopes": scopes })
        }
        Decision::Deny => json!({ "decision": "deny" }),
        Decision::Page { html } => json!({ "decision": "page", "html": html }),
        Decision::BuiltIn => json!({ "decision": "built_in" }),
        Decision::Allow => json!({ "decision": "allow" }),
        Decision::Refuse => json!({ "decision": "refuse" }),
        Decision::Credential { user, scopes, expires_at } => {
            json!({ "decision": "credential", "user": user_json(user), "scopes": scopes, "expires_at": expires_at })
        }
    }
}

pub(super) fn read_decision(mut fields: Fields) -> Read<Decision> {
    let user = |fields: &mut Fields| -> Read<User> {
        let mut user = fields.object("user")?;
        let read = User { subject: user.text("subject")?, name: user.text("name")?, claims: user.object("claims")?.0 };
        user.end()?;
        Ok(read)
    };
    let kind = fields.text("decision")?;
    let decision = match kind.as_str() {
        "signed_in" => Decision::SignedIn(user(&mut fields)?),
        "sign_in" => Decision::SignIn { location: fields.text("location")? },
        "approve" => {
            let user = user(&mut fields)?;
            let scopes = if fields.is_null("scopes") { None } else { Some(fields.texts("scopes")?) };
            Decision::Approve { user, scopes }
        }
        "deny" => Decision::Deny,
        "page" => Decision::Page { html: fields.text("html")? },
        "built_in" => Decision::BuiltIn,
        "allow" => Decision::Allow,
        "refuse" => Decision::Refuse,
        "credential" => {
            let user = user(&mut fields)?;
            let scopes = fields.texts("scopes")?;
            let expires_at = if fields.is_null("expires_at") { None } else { Some(fields.number("expires_at")?) };
            Decision::Credential { user, scopes, expires_at }
        }
        _ => return wrong("decision"),
    };
    fields.end()?;
    Ok(decision)
}

// --- Outcomes ---------------------------------------------------------------------------------------------------------

/// The end of a request as JSON.
pub fn answer_json(answer: &Answer) -> Value {
    let Answer { response, refusal, events } = answer;
    let mut outcome = response_json(response);
    outcome["refusal"] = json!(refusal);
    outcome["events"] = events_json(events);
    outcome
}

/// The end of a check as JSON.
pub fn checked_json(checked: &Checked) -> Value {
    match checked {
        Checked::Refused(answer) => answer_json(answer),
        Checked::Allowed(identity) => {
            let kind = match identity.kind {
                IdentityKind::Access => "access",
                IdentityKind::Personal => "personal",
                IdentityKind::External => "external",
            };
            json!({ "allowed": {
                "subject": identity.subject, "client_id": identity.client_id, "scopes": identity.scopes,
                "resource": identity.resource, "claims": identity.claims, "grant_id": identity.grant_id,
                "expires_at": identity.expires_at, "kind": kind,
            } })
        }
    }
}

/// The end of an operation as JSON.
pub fn operated_json(outcome: &OperationOutcome) -> Value {
    let OperationOutcome { operated, events } = outcome;
    let mut value = match operated {
        Operated::Issued { token, grant_id, expires_at } => {
            json!({ "operated": "issued", "token": token, "grant_id": grant_id, "expires_at": expires_at })
        }
        Operated::Revoked => json!({ "operated": "revoked" }),
        Operated::SignedOut => json!({ "operated": "signed_out" }),
        Operated::NotFound => json!({ "operated": "not_found" }),
        Operated::Unavailable => json!({ "operated": "unavailable" }),
    };
    value["events"] = events_json(events);
    value
}

fn events_json(events: &[lockstep_oauth::audit::AuditEvent]) -> Value {
    events.iter().map(|event| serde_json::from_str::<Value>(&event.to_json()).expect("an event is JSON")).collect()
}
