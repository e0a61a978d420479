//! A journey in plain words.

use crate::model::Reference;
use crate::outcome::{Errors, Holder, Outcome};
use crate::policy::{CLIENTS, PEOPLE, RESOURCES, Scopes};
use crate::step::{Ask, Bend, Challenge, Kind, Pick, Proof, Step, Verifier};

/// A step and what the model says comes of it, as one line.
pub fn tell(before: &Reference, after: &Reference, step: &Step) -> String {
    let told = match step {
        Step::Wait(seconds) if *seconds < 0 => format!("the clock goes back {} s", seconds.unsigned_abs()),
        Step::Wait(seconds) => format!("{seconds} s pass"),
        Step::Authorize(ask) => authorization(ask),
        Step::Decide { page, browser, person, approve, ticked } => {
            let page = before.page(*page).map_or("no page".to_owned(), |page| format!("page P{page}"));
            let answer = if *approve { "says yes to" } else { "says no to" };
            let ticked = if ticked.is_empty() { String::new() } else { format!(", keeping {}", ticked.join(" ")) };
            format!("{} (browser {browser}) {answer} {page}{ticked}", PEOPLE[*person])
        }
        Step::Redeem { code, client, proof, verifier, redirect, resource, twice } => {
            let client = who(before.sender(code, *client), *proof);
            let verifier = match verifier {
                Verifier::Right => "",
                Verifier::Wrong => " with a wrong verifier",
                Verifier::Short => " with a verifier too short",
                Verifier::Missing => " without verifier",
            };
            let redirect = match redirect {
                None => String::new(),
                Some(None) => ", its redirect".to_owned(),
                Some(Some(other)) => format!(", redirect {other}"),
            };
            format!("{client} redeems {}{verifier}{redirect}{}{}", token(before, code), for_(resource), again(*twice))
        }
        Step::Refresh { token: pick, client, proof, scope, resource, twice } => {
            let client = who(before.sender(pick, *client), *proof);
            let scope = scope.as_ref().map_or(String::new(), |scope| format!(" for scope \"{scope}\""));
            format!("{client} refreshes with {}{scope}{}{}", token(before, pick), for_(resource), again(*twice))
        }
        Step::Revoke { token: pick, client, proof } => {
            format!("{} revokes {}", who(before.sender(pick, *client), *proof), token(before, pick))
        }
        Step::Introspect { token: pick, client, proof } => {
            format!("{} introspects {}", who(*client, *proof), token(before, pick))
        }
        Step::Check { token: pick, resource, needs } => {
            let presented = pick.as_ref().map_or("no token".to_owned(), |pick| token(before, pick));
            let needs = if needs.is_empty() { "nothing".to_owned() } else { needs.join(" ") };
            format!("{presented} is shown to resource {} (of {}), which needs {needs}", resource % 2, RESOURCES.len())
        }
        Step::SignOut(person) => format!("{} signs out everywhere", PEOPLE[*person]),
        Step::EndGrant { person, token: pick } => {
            format!("{} ends the grant of {}", PEOPLE[*person], token(before, pick))
        }
    };
    format!("{told}: {}", outcome(after))
}

fn authorization(ask: &Ask) -> String {
    let person = ask.person.map_or("nobody", |person| PEOPLE[person]);
    let mut told = format!("{} sends {person} (browser {}) to authorize", CLIENTS[ask.client].id, ask.browser);
    let mut add = |part: String| told.push_str(&part);
    add(ask.redirect.as_ref().map_or(", without redirect".to_owned(), |redirect| format!(", to {redirect}")));
    if let Some(scope) = &ask.scope {
        add(format!(", scope \"{scope}\""));
    }
    add(for_(&ask.resource));
    if ask.response_type.as_deref() != Some("code") {
        add(format!(", response type {:?}", ask.response_type));
    }
    match ask.challenge {
        Challenge::Right => {}
        Challenge::Missing => add(", without challenge".to_owned()),
        Challenge::NoMethod => add(", without challenge method".to_owned()),
        Challenge::Plain => add(", with a plain challenge".to_owned()),
        Challenge::Short => add(", with a challenge too short".to_owned()),
    }
    match ask.state.as_deref().map(|state| (state, state.len())) {
        Some((_, length)) if length > 40 => add(format!(", state of {length} bytes")),
        Some((state, _)) => add(format!(", state {state:?}")),
        None => {}
    }
    add(again(ask.twice));
    told
}

fn who(client: usize, proof: Proof) -> String {
    let name = CLIENTS[client].id;
    match proof {
        Proof::Right => name.to_owned(),
        Proof::Posted => format!("{name} (secret in the form)"),
        Proof::NameAlone => format!("{name} (by name alone)"),
        Proof::Wrong => format!("{name} (with a wrong secret)"),
        Proof::Nameless => format!("{name} (without saying so)"),
    }
}

fn token(model: &Reference, pick: &Pick) -> String {
    let Some(place) = model.picked(pick) else { return "an invented token".to_owned() };
    let bent = match pick.bend {
        Bend::Straight => "",
        Bend::Shortened => " cut short",
        Bend::Lengthened => " made longer",
        Bend::Flipped(_) => " with one letter changed",
        Bend::Invented => " (invented)",
    };
    format!("{}{bent}", name(model, place))
}

/// A token's name: kind, grant and generation.
fn name(model: &Reference, place: usize) -> String {
    let token = &model.tokens[place];
    let (grant, generation) = (token.grant, token.generation);
    match token.kind {
        Kind::Code => format!("code C{grant}"),
        Kind::Access => format!("access token A{grant}.{generation} ({})", list(&token.scopes)),
        Kind::Refresh => format!("refresh token R{grant}.{generation}"),
    }
}

fn outcome(model: &Reference) -> String {
    match &model.last {
        Outcome::Nothing => "-".to_owned(),
        Outcome::Page => "a page, no redirect".to_owned(),
        Outcome::SignIn => "sign in first".to_owned(),
        Outcome::Told { any, redirect, .. } => format!("told {any:?} at {redirect}"),
        Outcome::Consent { scopes } => format!("page P{} for {}", model.tickets.len() - 1, list(scopes)),
        Outcome::Coded { code, .. } => name(model, *code),
        Outcome::Tokens { access, refresh, expires_in, .. } => {
            let refresh = refresh.map_or("no refresh token".to_owned(), |place| name(model, place));
            format!("{} for {expires_in} s, {refresh}", name(model, *access))
        }
        Outcome::Refused(any) => format!("refused, {}", errors(any)),
        Outcome::Revoked => "200".to_owned(),
        Outcome::Active(holder) => format!("active: {}", held(holder)),
        Outcome::Inactive => "inactive".to_owned(),
        Outcome::Allowed(holder) => format!("let in: {}", held(holder)),
        Outcome::Challenged(any) => format!("not let in, {}", errors(any)),
        Outcome::Operated(done) => if *done { "done" } else { "there is none" }.to_owned(),
    }
}

fn held(holder: &Holder) -> String {
    format!("{} for {} with {}", holder.client, holder.subject, list(&holder.scopes))
}

fn errors(any: &Errors) -> String {
    any.iter().map(|(status, error)| format!("{status} {error}")).collect::<Vec<String>>().join(" or ")
}

fn list(scopes: &Scopes) -> String {
    scopes.iter().map(String::as_str).collect::<Vec<&str>>().join(" ")
}

fn for_(resource: &[String]) -> String {
    if resource.is_empty() { String::new() } else { format!(", resource {}", resource.join(" and ")) }
}

fn again(twice: Option<&str>) -> String {
    twice.map_or(String::new(), |name| format!(", {name} twice"))
}
