//! What every generator stands on: the server that it writes for, and how bytes choose a value.

use alloc::string::String;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// What a generator has to know about the server that it writes requests for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The issuer.
    pub issuer: String,
    /// The path of the authorization endpoint.
    pub authorize_path: String,
    /// The path of the token endpoint.
    pub token_path: String,
    /// The path of the revocation endpoint.
    pub revoke_path: String,
    /// The path of the registration endpoint.
    pub register_path: String,
    /// A public client.
    pub client_id: String,
    /// Another public client.
    pub other_client_id: String,
    /// A redirect of the first one.
    pub redirect_uri: String,
    /// A resource.
    pub resource: String,
    /// A scope that is granted without asking for more.
    pub scope: String,
    /// How long a lost answer is repeated, in seconds; 0 when it is not.
    pub retry_window_seconds: u64,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            issuer: "https://as.example".into(),
            authorize_path: "/authorize".into(),
            token_path: "/token".into(),
            revoke_path: "/revoke".into(),
            register_path: "/register".into(),
            client_id: "web".into(),
            other_client_id: "other".into(),
            redirect_uri: "https://client.example/cb".into(),
            resource: "https://mcp.example/mcp".into(),
            scope: "notes:read".into(),
            retry_window_seconds: 30,
        }
    }
}

/// The value that these bytes choose, as a fuzzer wants it: the same bytes give the same value. `None` when the strategy
/// refuses them.
pub fn from_bytes<S: Strategy>(strategy: &S, bytes: &[u8]) -> Option<S::Value> {
    // Not the algorithm that passes bytes through: once they are used up it gives zeros, which some ranges reject for ever.
    let source = TestRng::from_seed(RngAlgorithm::ChaCha, &crate::crypto::sha256(&[bytes]));
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, source);
    strategy.new_tree(&mut runner).ok().map(|tree| tree.current())
}

/// Lets proptest and libFuzzer make a type by one strategy.
macro_rules! arbitrary_by {
    ($type:ty, $strategy:expr) => {
        impl proptest::arbitrary::Arbitrary for $type {
            type Parameters = ();
            type Strategy = proptest::strategy::BoxedStrategy<Self>;

            fn arbitrary_with((): ()) -> Self::Strategy {
                proptest::strategy::Strategy::boxed($strategy)
            }
        }

        impl<'a> arbitrary::Arbitrary<'a> for $type {
            fn arbitrary(bytes: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
                let bytes = bytes.bytes(bytes.len())?;
                crate::generators::target::from_bytes(&$strategy, bytes).ok_or(arbitrary::Error::IncorrectFormat)
            }
        }
    };
}
pub(crate) use arbitrary_by;
