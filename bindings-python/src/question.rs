//! Questions to the host, and its decisions.

use crate::json;
use lockstep_oauth::question::{self, Question};
use pyo3::prelude::*;

/// Who is this? Answered by `signed_in`, `sign_in`, `approve` or `deny`.
#[pyclass(frozen, get_all, module = "lockstep_oauth._native")]
pub(crate) struct SignInQuestion {
    return_to: String,
    client_id: String,
    client_name: String,
    scopes: Vec<String>,
    resource: String,
}

/// One scope as a consent page shows it.
#[pyclass(frozen, get_all, module = "lockstep_oauth._native")]
#[derive(Clone)]
pub(crate) struct ShownScope {
    name: String,
    description: String,
    optional: bool,
}

/// Show this in a page of your own. Answered by `page`, or `built_in` for ours.
#[pyclass(frozen, get_all, module = "lockstep_oauth._native")]
pub(crate) struct ConsentQuestion {
    client_id: String,
    client_name: String,
    client_host: String,
    redirect_host: String,
    redirect_uri: String,
    loopback: bool,
    known: bool,
    resource: String,
    scopes: Vec<ShownScope>,
    user_name: String,
    action: String,
    hidden: Vec<(String, String)>,
}

/// May this user's grant still be refreshed? Answered by `allow` or `refuse`.
#[pyclass(frozen, get_all, module = "lockstep_oauth._native")]
pub(crate) struct RefreshQuestion {
    subject: String,
    client_id: String,
    grant_id: String,
}

/// Whose token is this, which we did not issue? Answered by `signed_in`, `credential` or `refuse`.
#[pyclass(frozen, get_all, module = "lockstep_oauth._native")]
pub(crate) struct TokenQuestion {
    token: String,
}

/// Is there budget left? The driver answers it with `allow` or `refuse`.
#[pyclass(frozen, get_all, module = "lockstep_oauth._native")]
pub(crate) struct AdmitQuestion {
    key: String,
    limit: u32,
    period_seconds: u32,
}

pub(crate) fn present(py: Python<'_>, question: &Question) -> PyResult<Py<PyAny>> {
    Ok(match question.clone() {
        Question::SignIn(question::SignInQuestion { return_to, client_id, client_name, scopes, resource }) => {
            Py::new(py, SignInQuestion { return_to, client_id, client_name, scopes, resource })?.into_any()
        }
        Question::Consent(question::ConsentQuestion {
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
        }) => {
            let shown =
                |question::ShownScope { name, description, optional }| ShownScope { name, description, optional };
            let scopes = scopes.into_iter().map(shown).collect();
            let question = ConsentQuestion {
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
            };
            Py::new(py, question)?.into_any()
        }
        Question::Refresh { subject, client_id, grant_id } => {
            Py::new(py, RefreshQuestion { subject, client_id, grant_id })?.into_any()
        }
        Question::Token { token } => Py::new(py, TokenQuestion { token })?.into_any(),
        Question::Admit { key, limit, period_seconds } => {
            Py::new(py, AdmitQuestion { key, limit, period_seconds })?.into_any()
        }
    })
}

/// The host's answer to a question. Made by the constructor of its name.
#[pyclass(frozen, eq, module = "lockstep_oauth._native")]
#[derive(PartialEq)]
pub(crate) struct Decision(question::Decision);

#[pymethods]
impl Decision {
    /// This user is signed in; ask them.
    #[staticmethod]
    fn signed_in(user: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(question::Decision::SignedIn(read_user(user)?)))
    }

    /// Nobody is: send the browser there, and it comes back to `return_to`.
    #[staticmethod]
    fn sign_in(location: String) -> Self {
        Self(question::Decision::SignIn { location })
    }

    /// The host asked the user itself, and they agreed, to all scopes when `scopes` is None.
    #[staticmethod]
    #[pyo3(signature = (user, scopes=None))]
    fn approve(user: &Bound<'_, PyAny>, scopes: Option<Vec<String>>) -> PyResult<Self> {
        Ok(Self(question::Decision::Approve { user: read_user(user)?, scopes }))
    }

    /// The user said no.
    #[staticmethod]
    fn deny() -> Self {
        Self(question::Decision::Deny)
    }

    /// The host's own page, a whole HTML document.
    #[staticmethod]
    fn page(html: String) -> Self {
        Self(question::Decision::Page { html })
    }

    /// Use the built-in page.
    #[staticmethod]
    fn built_in() -> Self {
        Self(question::Decision::BuiltIn)
    }

    /// Yes.
    #[staticmethod]
    fn allow() -> Self {
        Self(question::Decision::Allow)
    }

    /// No.
    #[staticmethod]
    fn refuse() -> Self {
        Self(question::Decision::Refuse)
    }

    /// A credential that the host knows: whose it is, what it may do, and until when (seconds since 1970).
    #[staticmethod]
    #[pyo3(signature = (user, scopes, expires_at=None))]
    fn credential(user: &Bound<'_, PyAny>, scopes: Vec<String>, expires_at: Option<u64>) -> PyResult<Self> {
        Ok(Self(question::Decision::Credential { user: read_user(user)?, scopes, expires_at }))
    }

    /// The name of the constructor that made it.
    #[getter]
    fn kind(&self) -> &'static str {
        match &self.0 {
            question::Decision::SignedIn(_) => "signed_in",
            question::Decision::SignIn { location: _ } => "sign_in",
            question::Decision::Approve { user: _, scopes: _ } => "approve",
            question::Decision::Deny => "deny",
            question::Decision::Page { html: _ } => "page",
            question::Decision::BuiltIn => "built_in",
            question::Decision::Allow => "allow",
            question::Decision::Refuse => "refuse",
            question::Decision::Credential { user: _, scopes: _, expires_at: _ } => "credential",
        }
    }

    fn __repr__(&self) -> String {
        format!("Decision.{}(…)", self.kind())
    }
}

impl Decision {
    pub(crate) fn to_core(&self) -> question::Decision {
        self.0.clone()
    }
}

/// Reads a `lockstep_oauth.types.User`, or whatever has its attributes.
fn read_user(user: &Bound<'_, PyAny>) -> PyResult<question::User> {
    let text = |name: &str| -> PyResult<String> {
        let wrong = || crate::misuse(&format!("user.{name}"), "text; give a lockstep_oauth.User");
        user.getattr(name).and_then(|text| text.extract()).map_err(|_| wrong())
    };
    let claims = json::map(&user.getattr("claims")?, "user.claims")?;
    Ok(question::User { subject: text("subject")?, name: text("name")?, claims })
}
