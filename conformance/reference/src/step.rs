//! One step of a journey, as plain data: what somebody sends, or what happens to the world.

/// A token of the journey: which kind, how many before the newest one, and what was done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// The kind.
    pub kind: Kind,
    /// 0 is the newest.
    pub back: usize,
    /// What was done to it.
    pub bend: Bend,
}

/// A kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An authorization code.
    Code,
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
}

/// What was done to a token before it was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bend {
    /// Nothing.
    Straight,
    /// Its last character is gone.
    Shortened,
    /// A character was added.
    Lengthened,
    /// One character is another one.
    Flipped(usize),
    /// It is somebody's invention.
    Invented,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// As it is registered: by its name alone, or by its secret in the header.
    Right,
    /// By its secret in the form.
    Posted,
    /// By its name alone.
    NameAlone,
    /// By a wrong secret.
    Wrong,
    /// Not at all: it does not say who it is.
    Nameless,
}

/// The PKCE parameters of an authorization request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// Right.
    Right,
    /// Neither challenge nor method.
    Missing,
    /// Challenge without method, which means `plain`.
    NoMethod,
    /// Method `plain`.
    Plain,
    /// One character short.
    Short,
}

/// The verifier of a redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verifier {
    /// The one that belongs to the code.
    Right,
    /// Another one.
    Wrong,
    /// One that is too short.
    Short,
    /// None.
    Missing,
}

/// An authorization request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which browser.
    pub browser: usize,
    /// Who is signed in there: an index of the people, or nobody.
    pub person: Option<usize>,
    /// The client.
    pub client: usize,
    /// `redirect_uri`.
    pub redirect: Option<String>,
    /// `response_type`.
    pub response_type: Option<String>,
    /// `scope`.
    pub scope: Option<String>,
    /// `resource`, as often as it is sent.
    pub resource: Vec<String>,
    /// The PKCE parameters.
    pub challenge: Challenge,
    /// `state`.
    pub state: Option<String>,
    /// A parameter that is sent twice.
    pub twice: Option<&'static str>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The clock moves.
    Wait(i64),
    /// An authorization request.
    Authorize(Ask),
    /// An answer to a consent page.
    Decide {
        /// Which page: 0 is the newest.
        page: usize,
        /// From which browser.
        browser: usize,
        /// Who is signed in.
        person: usize,
        /// Yes or no.
        approve: bool,
        /// Which optional scopes stay ticked.
        ticked: Vec<&'static str>,
    },
    /// A redemption.
    Redeem {
        /// The code.
        code: Pick,
        /// The client; the code's own when none.
        client: Option<usize>,
        /// Its proof.
        proof: Proof,
        /// The verifier.
        verifier: Verifier,
        /// `redirect_uri`: none, the right one, or another one.
        redirect: Option<Option<String>>,
        /// `resource`.
        resource: Vec<String>,
        /// A parameter that is sent twice.
        twice: Option<&'static str>,
    },
    /// A refresh.
    Refresh {
        /// The token.
        token: Pick,
        /// The client; the token's own when none.
        client: Option<usize>,
        /// Its proof.
        proof: Proof,
        /// `scope`.
        scope: Option<String>,
        /// `resource`.
        resource: Vec<String>,
        /// A parameter that is sent twice.
        twice: Option<&'static str>,
    },
    /// A revocation.
    Revoke {
        /// The token.
        token: Pick,
        /// The client; the token's own when none.
        client: Option<usize>,
        /// Its proof.
        proof: Proof,
    },
    /// An introspection.
    Introspect {
        /// The token.
        token: Pick,
        /// The caller.
        client: usize,
        /// Its proof.
        proof: Proof,
    },
    /// A request to a resource.
    Check {
        /// The token; none at all when none.
        token: Option<Pick>,
        /// The resource, by its index.
        resource: usize,
        /// The scopes that the operation needs.
        needs: Vec<&'static str>,
    },
    /// A user signs out everywhere.
    SignOut(usize),
    /// A user ends a grant, which may be another's.
    EndGrant {
        /// The user.
        person: usize,
        /// A token of the grant.
        token: Pick,
    },
}
