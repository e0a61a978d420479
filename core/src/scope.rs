//! Scopes: names, ordered lists, selections out of an approved list, and which scope implies which.
//!
//! Source: RFC 6749 §3.3. Names are compared whole and byte for byte.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The longest scope name, in bytes.
pub const MAX_SCOPE_NAME_BYTES: usize = 256;
/// The longest list of scopes as text, in bytes.
pub const MAX_SCOPES_BYTES: usize = 2048;
/// The most scopes in a list: a [`Selection`] has as many bits.
pub const MAX_SCOPES: usize = 64;

/// The name of one scope: 1 to 256 printable ASCII characters without space, `"` and `\`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeName(String);

impl ScopeName {
    /// Reads a scope name.
    ///
    /// # Errors
    /// [`ScopeFault::Name`] or [`ScopeFault::TooLong`].
    pub fn parse(text: &str) -> Result<Self, ScopeFault> {
        if text.len() > MAX_SCOPE_NAME_BYTES {
            return Err(ScopeFault::TooLong);
        }
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if text.is_empty() || !text.bytes().all(allowed) { Err(ScopeFault::Name) } else { Ok(Self(text.to_owned())) }
    }

    /// The name as it was spelled.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ScopeName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScopeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A list of at most 64 scopes, in order and without duplicates. Its `Display` is the value of a `scope` parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(Vec<ScopeName>);

impl Scopes {
    /// Reads a space-delimited list. Repeated names count once, at their first place; extra spaces are skipped, because
    /// clients join empty lists; an empty text is an empty list.
    ///
    /// # Errors
    /// [`ScopeFault::Name`], [`ScopeFault::TooLong`] or [`ScopeFault::TooMany`].
    pub fn parse(text: &str) -> Result<Self, ScopeFault> {
        if text.len() > MAX_SCOPES_BYTES {
            return Err(ScopeFault::TooLong);
        }
        let mut scopes = Self::default();
        for name in text.split(' ').filter(|name| !name.is_empty()) {
            scopes.push(ScopeName::parse(name)?)?;
        }
        Ok(scopes)
    }

    /// Builds a list of names, under the limits of [`Scopes::parse`].
    ///
    /// # Errors
    /// [`ScopeFault::TooLong`] or [`ScopeFault::TooMany`].
    pub fn from_names(names: impl IntoIterator<Item = ScopeName>) -> Result<Self, ScopeFault> {
        let mut scopes = Self::default();
        for name in names {
            scopes.push(name)?;
        }
        let bytes: usize = scopes.0.iter().map(|name| name.0.len() + 1).sum();
        if bytes > MAX_SCOPES_BYTES + 1 { Err(ScopeFault::TooLong) } else { Ok(scopes) }
    }

    /// The names in order.
    pub fn as_slice(&self) -> &[ScopeName] {
        &self.0
    }

    /// The names in order.
    pub fn iter(&self) -> core::slice::Iter<'_, ScopeName> {
        self.0.iter()
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The place of a name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|candidate| candidate.as_str() == name)
    }

    /// Whether a name is in the list.
    pub fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Whether every name is in `other` too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().all(|name| other.contains(name.as_str()))
    }

    /// The names that are in `known` too, in the order of this list.
    pub fn retained(&self, known: &Self) -> Self {
        Self(self.0.iter().filter(|name| known.contains(name.as_str())).cloned().collect())
    }

    fn push(&mut self, name: ScopeName) -> Result<(), ScopeFault> {
        if self.contains(name.as_str()) {
            return Ok(());
        }
        if self.0.len() >= MAX_SCOPES {
            return Err(ScopeFault::TooMany);
        }
        self.0.push(name);
        Ok(())
    }
}

impl<'a> IntoIterator for &'a Scopes {
    type Item = &'a ScopeName;
    type IntoIter = core::slice::Iter<'a, ScopeName>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name.as_str())?;
        }
        Ok(())
    }
}

/// Which scopes of an approved list are meant: bit n is the list's n-th name. The list's order must never change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selection(u64);

impl Selection {
    /// Selects every scope of a list.
    pub fn all(approved: &Scopes) -> Self {
        Self((0..approved.len()).fold(0, |bits, index| bits | bit(index)))
    }

    /// Selects the chosen scopes; `None` if one of them is not approved.
    pub fn of(approved: &Scopes, chosen: &Scopes) -> Option<Self> {
        let positions = chosen.iter().map(|name| approved.position(name.as_str()));
        positions.map(|index| index.map(bit)).try_fold(0, |bits, bit| Some(bits | bit?)).map(Self)
    }

    /// Reads a bitmap; `None` if it has a bit beyond the approved list.
    pub fn from_bits(bits: u64, approved: &Scopes) -> Option<Self> {
        Some(Self(bits)).filter(|selection| selection.is_subset(Self::all(approved)))
    }

    /// The bitmap.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether nothing is selected.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether everything selected here is selected in `other`, of the same list.
    pub fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether a name is approved and selected.
    pub fn contains(self, approved: &Scopes, name: &str) -> bool {
        approved.position(name).is_some_and(|index| self.0 & bit(index) != 0)
    }

    /// The selected scopes, in the order of the approved list.
    pub fn names(self, approved: &Scopes) -> Scopes {
        let chosen = |(index, _): &(usize, &ScopeName)| self.0 & bit(*index) != 0;
        Scopes(approved.iter().enumerate().filter(chosen).map(|(_, name)| name.clone()).collect())
    }
}

/// Which scope implies which others. Implication is transitive, and a circle of scopes that imply each other is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hierarchy(Vec<(ScopeName, Vec<ScopeName>)>);

impl Hierarchy {
    /// Builds a hierarchy from (name, implied names) pairs. Several pairs of one name add up.
    ///
    /// # Errors
    /// [`ScopeFault::Name`] or [`ScopeFault::TooLong`] for the first name that is none.
    pub fn new<S: AsRef<str>>(pairs: &[(S, Vec<S>)]) -> Result<Self, ScopeFault> {
        let name = |text: &S| ScopeName::parse(text.as_ref());
        let pair =
            |(from, implied): &(S, Vec<S>)| Ok((name(from)?, implied.iter().map(name).collect::<Result<_, _>>()?));
        pairs.iter().map(pair).collect::<Result<_, _>>().map(Self)
    }

    /// Whether one of the granted scopes is the needed one or implies it, over any number of steps.
    pub fn covers<S: AsRef<str>>(&self, granted: &[S], needed: &str) -> bool {
        let mut reached: Vec<&str> = granted.iter().map(AsRef::as_ref).collect();
        let mut next = 0;
        // Every name is followed once, so a circle ends.
        while let Some(&current) = reached.get(next) {
            if current == needed {
                return true;
            }
            for implied in self.implied(current) {
                if !reached.contains(&implied) {
                    reached.push(implied);
                }
            }
            next += 1;
        }
        false
    }

    fn implied(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.0.iter().filter(move |(from, _)| from.as_str() == name);
        of_name.flat_map(|(_, implied)| implied.iter().map(ScopeName::as_str))
    }
}

/// Why scopes are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScopeFault {
    /// A name that is empty or has a character that scope names do not have.
    Name,
    /// A name beyond [`MAX_SCOPE_NAME_BYTES`], or a list beyond [`MAX_SCOPES_BYTES`].
    TooLong,
    /// More than [`MAX_SCOPES`] names.
    TooMany,
}

impl fmt::Display for ScopeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a scope name is empty or has a character that is not allowed",
            Self::TooLong => "a scope name is longer than 256 bytes or the list longer than 2048",
            Self::TooMany => "there are more than 64 scopes",
        })
    }
}

impl core::error::Error for ScopeFault {}

/// The bit of an index; none beyond the last.
fn bit(index: usize) -> u64 {
    u32::try_from(index).ok().and_then(|index| 1u64.checked_shl(index)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec;

    fn scopes(text: &str) -> Scopes {
        Scopes::parse(text).unwrap()
    }

    fn numbered(count: usize) -> String {
        (0..count).map(|index| format!("s{index}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_scope_name_is_a_scope_token() {
        for byte in 0..=0x7f_u8 {
            let allowed = matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert_eq!(ScopeName::parse(&format!("a{}b", char::from(byte))).is_ok(), allowed, "{byte:#x}");
        }
        assert_eq!(ScopeName::parse(""), Err(ScopeFault::Name));
        assert_eq!(ScopeName::parse("é"), Err(ScopeFault::Name));
        assert!(ScopeName::parse(&"a".repeat(MAX_SCOPE_NAME_BYTES)).is_ok());
        assert_eq!(ScopeName::parse(&"a".repeat(MAX_SCOPE_NAME_BYTES + 1)), Err(ScopeFault::TooLong));
    }

    #[test]
    fn a_list_keeps_order_and_drops_duplicates() {
        let list = scopes(" notes:write  notes:read notes:write ");
        assert_eq!(list.to_string(), "notes:write notes:read");
        assert_eq!((list.len(), list.position("notes:read"), list.is_empty()), (2, Some(1), false));
        assert!(!list.contains("notes:rea") && !list.contains("notes:read ") && !list.contains("Notes:read"));
        assert!(scopes("").is_empty());
        assert_eq!(scopes("").to_string(), "");
        for wrong in ["a\"b", "a\\b", "é", "a\tb", "a\nb", "a\u{a0}b"] {
            assert_eq!(Scopes::parse(wrong), Err(ScopeFault::Name), "{wrong:?}");
        }
    }

    #[test]
    fn lists_are_bounded_exactly() {
        assert_eq!(scopes(&format!("{} s0", numbered(64))).len(), 64);
        assert_eq!(Scopes::parse(&numbered(65)), Err(ScopeFault::TooMany));
        assert!(Scopes::parse(&" ".repeat(MAX_SCOPES_BYTES)).is_ok());
        assert_eq!(Scopes::parse(&" ".repeat(MAX_SCOPES_BYTES + 1)), Err(ScopeFault::TooLong));
        let names = |last: usize| {
            let full = (0..8).map(move |index| format!("{index}{}", "a".repeat(if index == 7 { last } else { 254 })));
            full.map(|name| ScopeName::parse(&name).unwrap())
        };
        assert_eq!(Scopes::from_names(names(255)).unwrap().to_string().len(), MAX_SCOPES_BYTES);
        assert_eq!(Scopes::from_names(names(255).chain(names(3))), Err(ScopeFault::TooLong));
        assert_eq!(Scopes::from_names(scopes("b a b").iter().cloned()).unwrap(), scopes("b a"));
    }

    #[test]
    fn a_list_is_retained_and_compared_by_whole_names() {
        assert_eq!(scopes("x b openid a").retained(&scopes("a b c")), scopes("b a"));
        assert!(scopes("a").is_subset(&scopes("b a")) && scopes("").is_subset(&scopes("")));
        assert!(!scopes("a c").is_subset(&scopes("a b")));
    }

    #[test]
    fn a_selection_stays_within_the_approved_list() {
        let approved = scopes("a b c");
        let selection = Selection::of(&approved, &scopes("c a")).unwrap();
        assert_eq!((selection.bits(), selection.names(&approved)), (0b101, scopes("a c")));
        assert!(
            selection.contains(&approved, "a")
                && !selection.contains(&approved, "b")
                && !selection.contains(&approved, "d")
        );
        assert_eq!(Selection::of(&approved, &scopes("a d")), None);
        assert!(selection.is_subset(Selection::all(&approved)) && !Selection::all(&approved).is_subset(selection));
        assert!(Selection::of(&approved, &scopes("")).unwrap().is_empty() && !selection.is_empty());
        assert_eq!(Selection::from_bits(0b101, &approved), Some(selection));
        assert_eq!(Selection::from_bits(0b1000, &approved), None);
    }

    #[test]
    fn a_selection_reaches_the_sixty_fourth_scope() {
        let approved = scopes(&numbered(64));
        assert_eq!(Selection::all(&approved).bits(), u64::MAX);
        let last = Selection::of(&approved, &scopes("s63")).unwrap();
        assert_eq!((last.bits(), last.names(&approved)), (1 << 63, scopes("s63")));
        assert_eq!(Selection::all(&scopes(&numbered(63))).bits(), u64::MAX >> 1);
        assert_eq!(Selection::from_bits(1 << 63, &scopes(&numbered(63))), None);
    }

    #[test]
    fn a_hierarchy_covers_what_is_implied_over_many_steps() {
        let pairs = [
            ("admin", vec!["write", "audit"]),
            ("write", vec!["read"]),
            ("write", vec!["list"]),
            ("read", vec!["admin"]),
        ];
        let circle = Hierarchy::new(&pairs).unwrap();
        for needed in ["admin", "write", "audit", "read", "list"] {
            assert!(circle.covers(&["admin"], needed), "{needed}");
        }
        assert!(circle.covers(&["x", "read"], "list"));
        assert!(!circle.covers(&["list", "audit"], "read"));
        assert!(
            !circle.covers(&["admin"], "rea")
                && !circle.covers(&["adm"], "read")
                && !circle.covers(&["admin"], "other")
        );
        assert!(!circle.covers::<&str>(&[], "read"));
        assert!(Hierarchy::default().covers(scopes("a b").as_slice(), "b"));
        assert!(Hierarchy::new(&[("a", vec!["b c"])]).is_err());
    }
}
