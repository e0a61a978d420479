//! A thief who may hold any page, code, token or request ever seen, and has a client of its own.

use crate::request::{Exchange, Purpose, approving, proven};
use crate::run::Run;
use crate::session::{CLIENTS, THIEF};
use lockstep_conformance::fixture::{RESOURCE_2, bearer, redeem, refresh, revoke};
use lockstep_conformance::transcript::Call;
use lockstep_oauth::authorization_server::operations::Operation;

impl Run<'_> {
    /// The thief tries something.
    pub fn steal(&mut self) {
        let person = self.random.place(2);
        let client_of = |run: &Self, family: usize| run.sessions[run.witness.families[family].session].client;
        // Only a client without credentials can be impersonated.
        let public = |client: usize| CLIENTS[client] == "web";
        match self.random.below(8) {
            0 if !self.witness.tickets.is_empty() => {
                let ticket = self.random.place(self.witness.tickets.len());
                let form = self.witness.tickets[ticket].form.clone();
                let call = approving(&form, true, "__Host-lockstep=another-browser");
                self.send(Exchange::new(Purpose::Approve { ticket, own: false }, None, person, call));
            }
            1 | 2 if !self.witness.codes.is_empty() => {
                let code = self.random.place(self.witness.codes.len());
                let client = client_of(self, self.witness.codes[code].family);
                let own = public(client) && self.random.chance(700);
                let verified = self.random.chance(400);
                let draft = proven(redeem(&self.witness.codes[code].text), if own { client } else { THIEF }, None);
                let draft = if verified { draft } else { draft.but(&["-code_verifier"]) };
                self.send(Exchange::new(Purpose::Redeem { code, own, verified }, None, person, draft.call()));
            }
            3 | 4 if !self.witness.refreshes.is_empty() => {
                let token = self.random.place(self.witness.refreshes.len());
                let client = client_of(self, self.witness.refreshes[token].family);
                let own = public(client) && self.random.chance(500);
                let draft =
                    proven(refresh(&self.witness.refreshes[token].text), if own { client } else { THIEF }, None);
                let purpose = Purpose::Refresh { token, own, narrow: false };
                self.send(Exchange::new(purpose, None, person, draft.call()));
            }
            5 if !self.witness.accesses.is_empty() => {
                let token = self.random.place(self.witness.accesses.len());
                let mut request = bearer(&self.witness.accesses[token].text);
                request.resource = RESOURCE_2.to_owned();
                self.send(Exchange::new(Purpose::Check { token, here: false }, None, person, Call::Check(request)));
            }
            6 if !self.witness.refreshes.is_empty() => {
                let token = self.random.place(self.witness.refreshes.len());
                let draft = proven(revoke(&self.witness.refreshes[token].text), THIEF, None);
                self.send(Exchange::new(Purpose::Revoke { token, own: false }, None, person, draft.call()));
            }
            7 if !self.exchanges.is_empty() => {
                // Whatever was sent, once more: above all an assertion.
                let sent = self.random.place(self.exchanges.len());
                let (purpose, call) = (self.exchanges[sent].purpose.clone(), self.exchanges[sent].call.clone());
                let mut again = Exchange::new(purpose, None, self.exchanges[sent].person, call);
                again.assertion = self.exchanges[sent].assertion;
                self.send(again);
            }
            _ => {}
        }
    }

    /// A person signs out everywhere.
    pub fn sign_out(&mut self, person: usize) {
        let subject = crate::request::person(person).to_owned();
        let call = Call::Operate(Operation::SignOutEverywhere { subject });
        self.send(Exchange::new(Purpose::SignOut { person }, None, person, call));
    }

    /// A person ends a grant, which may be another person's.
    pub fn end_grant(&mut self, family: usize, person: usize) {
        let Some(grant_id) = self.witness.families[family].grant_id().map(str::to_owned) else { return };
        let own = self.sessions[self.witness.families[family].session].person == person;
        let subject = crate::request::person(person).to_owned();
        let call = Call::Operate(Operation::RevokeGrant { subject, grant_id });
        self.send(Exchange::new(Purpose::EndGrant { family, own }, None, person, call));
    }
}
