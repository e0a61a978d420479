//! Protected resources and how a requested one is found (RFC 8707, MCP canonical server URI, conflict CF-4).

use crate::uri::{MAX_URI_BYTES, Uri, UriFault, is_uri_byte};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The most resources that one table holds: a token names one by its index, in a byte.
pub const MAX_RESOURCES: usize = 256;

/// The identifier of a protected resource: an https URI, or http on loopback, without fragment, kept as spelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource(Uri);

impl Resource {
    /// Reads a resource identifier of our own configuration or of a metadata document. A query is tolerated.
    ///
    /// # Errors
    /// [`UriFault::Insecure`], or a fault of [`Uri::parse`].
    pub fn parse(text: &str) -> Result<Self, UriFault> {
        Uri::secure_or_loopback(text).map(Self)
    }

    /// The identifier as it was spelled.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The URI itself.
    pub fn uri(&self) -> &Uri {
        &self.0
    }
}

/// The resources that a server knows, and the spellings it takes for each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourceTable(Vec<Entry>);

impl ResourceTable {
    /// Builds a table from (spelling, aliases) pairs, in an order that must never change while grants live.
    ///
    /// An alias is any other absolute spelling that clients send; it may be one that [`Resource::parse`] refuses.
    ///
    /// # Errors
    /// The first fault, with the position of the resource it is in.
    pub fn new(resources: Vec<(String, Vec<String>)>) -> Result<Self, ResourceTableFault> {
        let mut table = Self(Vec::new());
        for (index, (spelling, aliases)) in resources.into_iter().enumerate() {
            if index >= MAX_RESOURCES {
                return Err(ResourceTableFault::TooMany);
            }
            let resource = Resource::parse(&spelling).map_err(|fault| ResourceTableFault::Spelling { index, fault })?;
            if let Some(alias) = aliases.iter().position(|alias| !is_alias(alias)) {
                return Err(ResourceTableFault::Alias { index, alias });
            }
            table.0.push(Entry { resource, aliases });
        }
        // INVARIANT: every spelling and alias leads to one resource.
        for (index, entry) in table.0.iter().enumerate() {
            let mut spellings = entry.aliases.iter().map(String::as_str).chain([entry.resource.as_str()]);
            if spellings.any(|spelling| table.0.iter().filter(|entry| entry.is_named(spelling)).count() > 1) {
                return Err(ResourceTableFault::Ambiguous { index });
            }
        }
        Ok(table)
    }

    /// Finds a requested resource.
    ///
    /// Found is what equals a configured spelling byte for byte, or but for the case of scheme and host, or but for the
    /// slash of a bare origin; or equals an alias byte for byte. Anything else is not ours: `/mcp/` is not `/mcp`.
    pub fn find(&self, requested: &str) -> Option<usize> {
        if requested.len() > MAX_URI_BYTES {
            return None;
        }
        self.0.iter().position(|entry| entry.is_named(requested))
    }

    /// The configured spelling of a resource: what we emit.
    pub fn spelling(&self, index: usize) -> Option<&str> {
        self.resource(index).map(Resource::as_str)
    }

    /// The resource at an index.
    pub fn resource(&self, index: usize) -> Option<&Resource> {
        self.0.get(index).map(|entry| &entry.resource)
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why a table of resources is refused. Positions count from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceTableFault {
    /// More than [`MAX_RESOURCES`].
    TooMany,
    /// The spelling of a resource is not one.
    Spelling {
        /// Position of the resource.
        index: usize,
        /// What is wrong with it.
        fault: UriFault,
    },
    /// An alias is not an absolute web address without fragment.
    Alias {
        /// Position of the resource.
        index: usize,
        /// Position of the alias within it.
        alias: usize,
    },
    /// A spelling or alias would be found at another resource too.
    Ambiguous {
        /// Position of one of them.
        index: usize,
    },
}

impl fmt::Display for ResourceTableFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "there are more than {MAX_RESOURCES} resources"),
            Self::Spelling { index, fault } => write!(f, "resource {index}: {fault}"),
            Self::Alias { index, alias } => {
                write!(f, "resource {index}, alias {alias}: not an absolute http or https URI without fragment")
            }
            Self::Ambiguous { index } => write!(f, "resource {index}: a spelling or alias names another resource too"),
        }
    }
}

impl core::error::Error for ResourceTableFault {}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    resource: Resource,
    aliases: Vec<String>,
}

impl Entry {
    fn is_named(&self, requested: &str) -> bool {
        let spelling = self.resource.as_str();
        spelling == requested
            || self.aliases.iter().any(|alias| alias == requested)
            || comparable(requested) == comparable(spelling)
    }
}

fn is_web(text: &str) -> bool {
    let starts_with = |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    starts_with("https://") || starts_with("http://")
}

/// The text with scheme and authority in lower case, and without the slash of a bare origin.
fn comparable(text: &str) -> String {
    let authority = text.find("://").map_or(0, |colon| colon + "://".len());
    let rest = text.get(authority..).unwrap_or_default();
    let (origin, tail) = text.split_at(rest.find(['/', '?', '#']).map_or(text.len(), |end| authority + end));
    let mut text = origin.to_ascii_lowercase();
    text.push_str(if tail == "/" { "" } else { tail });
    text
}

fn is_alias(text: &str) -> bool {
    text.len() <= MAX_URI_BYTES && is_web(text) && text.bytes().all(is_uri_byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::vec;

    fn table(resources: &[(&str, &[&str])]) -> Result<ResourceTable, ResourceTableFault> {
        let own = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        ResourceTable::new(resources.iter().map(|&(spelling, aliases)| (spelling.to_owned(), own(aliases))).collect())
    }

    #[test]
    fn a_resource_is_https_or_loopback_without_fragment() {
        for text in ["https://mcp.example", "https://mcp.example/mcp?x=1", "http://localhost:8000/mcp", "http://[::1]/"]
        {
            assert_eq!(Resource::parse(text).as_ref().map(Resource::as_str), Ok(text));
        }
        for text in
            ["http://mcp.example/", "https://mcp.example/#f", "/mcp", "mcp.example", "app.x:/y", "https://MCP.example/"]
        {
            assert!(Resource::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn a_resource_is_found_up_to_the_case_of_its_origin() {
        let table = table(&[("https://mcp.example/mcp", &[]), ("https://mcp2.example:8443/Mcp?q=A", &[])]).unwrap();
        for (requested, index) in [
            ("https://mcp.example/mcp", 0), ("https://MCP.example/mcp", 0), ("HTTPS://mcp.EXAMPLE/mcp", 0),
            ("https://mcp2.example:8443/Mcp?q=A", 1), ("Https://Mcp2.example:8443/Mcp?q=A", 1),
        ] {
            assert_eq!(table.find(requested), Some(index), "{requested}");
        }
        for requested in [
            "", "https://mcp.example/mcp/", "https://mcp.example/MCP", "https://mcp.example", "https://mcp.example/",
            "https://mcp.example:443/mcp", "https://mcp.example./mcp", "https://u@mcp.example/mcp",
            "http://mcp.example/mcp", "https://mcp.example/mcp?", "https://mcp.example/mcp#",
            "https://mcp.example/mcp#f", "https://mcp.example/%6Dcp", "https://mcp.example//mcp",
            "https://mcp.example/x/../mcp", " https://mcp.example/mcp", "/mcp", "mcp.example",
            "https://mcp2.example:8443/Mcp?q=a", "https://mcp2.example:8443/Mcp", "https://mcp2.example:8443/mcp?q=A",
            "https:/mcp.example/mcp", "https://mcp.example\\mcp", "https://unknown.example/",
        ] {
            assert_eq!(table.find(requested), None, "{requested}");
        }
        assert_eq!((table.spelling(0), table.spelling(2)), (Some("https://mcp.example/mcp"), None));
        assert_eq!((table.len(), table.is_empty()), (2, false));
    }

    #[test]
    fn a_bare_origin_is_found_with_and_without_its_slash() {
        for spelling in ["https://mcp.example", "https://mcp.example/"] {
            let table = table(&[(spelling, &[])]).unwrap();
            for requested in
                ["https://mcp.example", "https://mcp.example/", "https://MCP.example", "https://MCP.example/"]
            {
                assert_eq!(table.find(requested), Some(0), "{spelling} {requested}");
            }
            for requested in
                ["https://mcp.example//", "https://mcp.example/?", "https://mcp.example?", "https://mcp.example/#"]
            {
                assert_eq!(table.find(requested), None, "{spelling} {requested}");
            }
            assert_eq!(table.spelling(0), Some(spelling));
        }
        let table = table(&[("https://mcp.example?x", &[])]).unwrap();
        assert_eq!(table.find("https://mcp.example/?x"), None);
    }

    #[test]
    fn an_alias_is_taken_as_it_is_spelled() {
        let table =
            table(&[("https://a.example/mcp", &["https://a.example/mcp/", "https://A.example:443/mcp"])]).unwrap();
        assert_eq!(table.find("https://a.example/mcp/"), Some(0));
        assert_eq!(table.find("https://A.example:443/mcp"), Some(0));
        assert_eq!(table.find("https://a.example:443/mcp"), None);
        assert_eq!(table.find("https://A.example/mcp/"), None);
    }

    #[test]
    fn a_table_that_could_mislead_is_refused() {
        use ResourceTableFault::*;
        let ambiguous = |index| Err(Ambiguous { index });
        assert_eq!(table(&[("https://a", &[]), ("https://a/", &[])]), ambiguous(0));
        assert_eq!(table(&[("https://a/x", &[]), ("https://a/x", &[])]), ambiguous(0));
        assert_eq!(table(&[("https://a/x", &[]), ("https://b", &["https://a/x"])]), ambiguous(0));
        assert_eq!(table(&[("https://a/x", &["https://B/"]), ("https://b", &[])]), ambiguous(0));
        assert_eq!(table(&[("https://a", &["https://c/"]), ("https://b", &["https://c/"])]), ambiguous(0));
        assert!(table(&[("https://a", &["https://a/", "https://a"])]).is_ok());
        for alias in ["", "/mcp", "a.example", "https://a/#f", "https://a/ b", "https://é/", "ftp://a/", "https:a"] {
            assert_eq!(table(&[("https://a", &["https://b", alias])]), Err(Alias { index: 0, alias: 1 }), "{alias}");
        }
        let fault = UriFault::Insecure;
        assert_eq!(table(&[("https://a", &[]), ("http://a", &[])]), Err(Spelling { index: 1, fault }));
        let many = |count: usize| (0..count).map(|index| (alloc::format!("https://h/{index}"), vec![])).collect();
        assert!(ResourceTable::new(many(MAX_RESOURCES)).is_ok());
        assert_eq!(ResourceTable::new(many(MAX_RESOURCES + 1)), Err(TooMany));
    }

    #[test]
    fn a_requested_resource_is_bounded() {
        let path = "a".repeat(MAX_URI_BYTES - "https://h/".len());
        let text = alloc::format!("https://h/{path}");
        let table = table(&[(&text, &[])]).unwrap();
        assert_eq!(table.find(&text), Some(0));
        assert_eq!(table.find(&alloc::format!("{text}a")), None);
    }
}
