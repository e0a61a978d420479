//! The model of the authorization endpoint and the consent page.

use crate::model::{Generation, Grant, Reference, Stage, Ticket, Token};
use crate::outcome::Outcome;
use crate::policy::{CLIENTS, RefreshRule, STRANGER, Scopes};
use crate::rules;
use crate::step::{Ask, Challenge, Kind};
use crate::variation::Variation;
use std::collections::BTreeSet;

impl Reference {
    pub(crate) fn authorize(&mut self, ask: &Ask) -> Result<Outcome, Outcome> {
        let card = &CLIENTS[ask.client];
        let unclear = matches!(ask.twice, Some("client_id" | "redirect_uri")) || ask.client == STRANGER;
        let Some(redirect) = ask.redirect.clone().filter(|_| !unclear) else { return Err(Outcome::Page) };
        let registered = rules::redirect_is_registered(&redirect, card.redirects)
            || (self.varies(Variation::AnyPathOfARedirect)
                && card.redirects.iter().any(|one| redirect.starts_with(one)));
        if !registered {
            return Err(Outcome::Page);
        }
        let Some(person) = ask.person else { return Err(Outcome::SignIn) };

        let mut errors = BTreeSet::new();
        // A parameter that is there twice has no value that could be returned.
        let state = ask.state.clone().filter(|state| !state.is_empty() && ask.twice != Some("state"));
        let too_long = state.as_ref().is_some_and(|state| state.len() > 2048);
        let state = state.filter(|_| !too_long);
        if too_long || ask.twice.is_some() {
            errors.insert("invalid_request");
        }
        match ask.response_type.as_deref().unwrap_or_default() {
            "code" => {}
            "" => _ = errors.insert("invalid_request"),
            _ => _ = errors.insert("unsupported_response_type"),
        }
        if ask.challenge != Challenge::Right {
            errors.insert("invalid_request");
        }
        let resource = self.asked_resource(&ask.resource);
        let scopes = self.asked_scopes(ask.scope.as_deref().unwrap_or_default());
        errors.extend(resource.err());
        errors.extend(scopes.as_ref().err());
        let (Ok(resource), Ok(scopes), true) = (resource, scopes, errors.is_empty()) else {
            return Err(Outcome::Told { any: errors, redirect, state });
        };
        let shown = scopes.clone();
        let (client, browser, made_at) = (ask.client, ask.browser, self.now);
        let ticket = Ticket { client, redirect, scopes, resource, state, browser, person, made_at, grant: None };
        self.tickets.push(ticket);
        Ok(Outcome::Consent { scopes: shown })
    }

    /// One resource a request; without any, the only one there is (CF-15).
    pub(crate) fn asked_resource(&self, sent: &[String]) -> Result<&'static str, &'static str> {
        match (sent, self.policy.resources()) {
            ([], [only]) => Ok(only),
            ([one], _) => rules::resource_of(one, &self.policy).ok_or("invalid_target"),
            _ => Err("invalid_target"),
        }
    }

    /// Unknown scopes are dropped unless the policy refuses them. A request that names none of what a resource knows gets
    /// the default; `offline_access` asks for refresh tokens and names nothing (O21-A6, MCP-F3).
    pub(crate) fn asked_scopes(&self, sent: &str) -> Result<Scopes, &'static str> {
        let mut names = rules::scope_names(sent).ok_or("invalid_scope")?;
        if self.policy.refuse_unknown_scopes && names.iter().any(|name| !rules::scope_is_known(name)) {
            return Err("invalid_scope");
        }
        names.retain(|name| rules::scope_is_known(name));
        if names.iter().all(|name| name == "offline_access") {
            names.extend(rules::default_scopes());
        }
        Ok(names)
    }

    pub(crate) fn decide(
        &mut self,
        page: usize,
        browser: usize,
        person: usize,
        approve: bool,
        ticked: &[&str],
    ) -> Result<Outcome, Outcome> {
        let place = self.page(page).ok_or(Outcome::Nothing)?;
        let ticket = self.tickets[place].clone();
        let timely = self.now < ticket.made_at + self.policy.ticket_seconds;
        if browser != ticket.browser || person != ticket.person || !timely {
            return Err(Outcome::Page);
        }
        let (redirect, state) = (ticket.redirect.clone(), ticket.state.clone());
        let mut scopes = ticket.scopes.clone();
        scopes.retain(|name| !rules::scope_is_optional(name) || ticked.contains(&name.as_str()));
        if !approve || scopes.is_empty() {
            return Err(Outcome::Told { any: BTreeSet::from(["access_denied"]), redirect, state });
        }
        let grant = match ticket.grant {
            None => self.grant(place, &ticket, scopes),
            Some(grant) => {
                let same = self.grants[grant].scopes == scopes && self.grants[grant].stage == Stage::Granted;
                if !same || self.is_dead(grant) {
                    return Err(Outcome::Page);
                }
                grant
            }
        };
        let end = self.grants[grant].code_end;
        let code = self.token(Token { kind: Kind::Code, grant, generation: 0, scopes: Scopes::new(), end });
        Ok(Outcome::Coded { code, redirect, state })
    }

    pub(crate) fn grant(&mut self, place: usize, ticket: &Ticket, scopes: Scopes) -> usize {
        let card = &CLIENTS[ticket.client];
        // No decision is earlier than what it answers.
        let now = self.now.max(ticket.made_at);
        let refreshes = match self.policy.refresh {
            RefreshRule::Never => false,
            RefreshRule::OfflineAccess => scopes.contains("offline_access"),
            RefreshRule::GrantTypes => card.refreshes || scopes.contains("offline_access"),
        };
        self.grants.push(Grant {
            ticket: place,
            client: ticket.client,
            person: ticket.person,
            scopes,
            resource: ticket.resource,
            redirect: ticket.redirect.clone(),
            refreshes,
            made_at: now,
            counter: self.counters[ticket.person],
            code_end: now + self.policy.code_seconds.min(self.policy.absolute_seconds),
            end: now + self.policy.absolute_seconds,
            stage: Stage::Granted,
            generation: Generation { number: 0, issued_at: now, access_end: 0, refresh_end: 0, retried: false },
            streak: 0,
            floor: 0,
            last: now,
        });
        self.tickets[place].grant = Some(self.grants.len() - 1);
        self.grants.len() - 1
    }
}
