//! Header fields in one block of bytes.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Where a field stands in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    name: (u32, u32),
    value: (u32, u32),
}

/// The header fields of one message in order, names in lower case.
///
/// One block of bytes and an index into it, and not a map of shared values: there are twenty of them,
/// most are looked at once, and a block of its own keeps no socket's buffer alive.
#[derive(Clone, Default)]
pub struct Fields {
    block: Vec<u8>,
    spans: Vec<Span>,
}

impl Fields {
    /// Empty, with room for `fields` fields of `bytes` bytes together.
    #[must_use]
    pub fn with_capacity(fields: usize, bytes: usize) -> Self {
        Self {
            block: Vec::with_capacity(bytes),
            spans: Vec::with_capacity(fields),
        }
    }

    /// From a head that was parsed: `parts` are names and values inside of `head`. One that is not is
    /// left out.
    #[must_use]
    pub fn of_head<'a>(
        head: &'a [u8],
        parts: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Self {
        let mut block = head.to_vec();
        let mut spans = Vec::with_capacity(parts.len());
        for (name, value) in parts {
            let (Some(name), Some(value)) = (place(head, name), place(head, value)) else {
                continue;
            };
            if let Some(name) = range(name).and_then(|range| block.get_mut(range)) {
                name.make_ascii_lowercase();
            }
            spans.push(Span { name, value });
        }
        Self { block, spans }
    }

    /// Adds a field at the end. What RFC 9110, section 5 does not take for a field is left out: nobody
    /// writes into a head by way of a value.
    pub fn put(&mut self, name: &str, value: &[u8]) {
        if !is_token(name.as_bytes()) || !is_value(value) {
            return;
        }
        let name_at = self.append(name.as_bytes());
        let value_at = self.append(value);
        if let (Some(name), Some(value)) = (name_at, value_at) {
            if let Some(name) = range(name).and_then(|range| self.block.get_mut(range)) {
                name.make_ascii_lowercase();
            }
            self.spans.push(Span { name, value });
        }
    }

    /// Whether all of them are what RFC 9110, section 5 takes for fields: those from a disk may be anything.
    #[must_use]
    pub fn are_sound(&self) -> bool {
        let mut fields = self.iter();
        fields.all(|(name, value)| is_token(name.as_bytes()) && is_value(value))
    }

    /// Adds all of `others` at the end.
    pub fn extend(&mut self, others: &Self) {
        let Ok(shift) = u32::try_from(self.block.len()) else {
            return;
        };
        self.block.extend_from_slice(&others.block);
        let moved =
            |(start, end): (u32, u32)| Some((start.checked_add(shift)?, end.checked_add(shift)?));
        self.spans.extend(others.spans.iter().filter_map(|span| {
            Some(Span {
                name: moved(span.name)?,
                value: moved(span.value)?,
            })
        }));
    }

    /// Keeps the fields of which this holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &[u8]) -> bool) {
        let block = &self.block;
        self.spans.retain(|span| {
            span.read(block)
                .is_some_and(|(name, value)| keep(name, value))
        });
    }

    /// The first value of `name`; any case.
    #[must_use]
    pub fn first<'a>(&'a self, name: &str) -> Option<&'a [u8]> {
        self.spans
            .iter()
            .find(|span| span.is_named(name, &self.block))
            .and_then(|span| self.block.get(range(span.value)?))
    }

    /// All values of `name` in order; any case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.spans
            .iter()
            .filter(move |span| span.is_named(name, &self.block))
            .filter_map(|span| self.block.get(range(span.value)?))
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.spans.iter().filter_map(|span| span.read(&self.block))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Bytes that they hold in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.block.capacity() + self.spans.capacity() * size_of::<Span>()
    }

    fn append(&mut self, bytes: &[u8]) -> Option<(u32, u32)> {
        let start = u32::try_from(self.block.len()).ok()?;
        self.block.extend_from_slice(bytes);
        Some((start, u32::try_from(self.block.len()).ok()?))
    }
}

impl Span {
    fn is_named(self, name: &str, block: &[u8]) -> bool {
        range(self.name)
            .filter(|range| range.len() == name.len())
            .and_then(|range| block.get(range))
            .is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
    }

    fn read(self, block: &[u8]) -> Option<(&str, &[u8])> {
        // A token is ASCII.
        let name = std::str::from_utf8(block.get(range(self.name)?)?).ok()?;
        Some((name, block.get(range(self.value)?)?))
    }
}

fn range((start, end): (u32, u32)) -> Option<std::ops::Range<usize>> {
    Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

/// Where `part` lies in `whole`; none when it does not.
fn place(whole: &[u8], part: &[u8]) -> Option<(u32, u32)> {
    if part.is_empty() {
        return Some((0, 0)); // a parser may take an empty value from anywhere
    }
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(())?;
    Some((u32::try_from(start).ok()?, u32::try_from(end).ok()?))
}

/// RFC 9110, 5.6.2.
fn is_token(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|&byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// RFC 9110, 5.5: visible characters, spaces, tabs and what is beyond ASCII.
fn is_value(value: &[u8]) -> bool {
    value
        .iter()
        .all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields {}

impl From<&HeaderMap> for Fields {
    fn from(map: &HeaderMap) -> Self {
        map.iter().collect()
    }
}

impl From<&Fields> for HeaderMap {
    fn from(fields: &Fields) -> Self {
        let mut map = Self::with_capacity(fields.len());
        for (name, value) in fields.iter() {
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_bytes(value),
            ) {
                map.append(name, value);
            }
        }
        map
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(parts: I) -> Self {
        let mut fields = Self::default();
        for (name, value) in parts {
            fields.put(name.as_ref(), value.as_ref());
        }
        fields
    }
}

impl fmt::Debug for Fields {
    /// Names only: values may be signatures and secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Fields;
    use http::{HeaderMap, HeaderValue};

    #[test]
    fn fields_keep_their_order_and_are_found_in_any_case() {
        let fields: Fields = [("X-A", "1"), ("content-type", "text/plain"), ("x-a", "2")]
            .into_iter()
            .collect();

        let all: Vec<_> = fields.iter().collect();
        assert_eq!(
            all,
            [
                ("x-a", b"1".as_slice()),
                ("content-type", b"text/plain"),
                ("x-a", b"2")
            ]
        );
        assert_eq!(fields.first("Content-Type"), Some(b"text/plain".as_slice()));
        assert_eq!(fields.all("X-a").count(), 2);
        assert_eq!(fields.first("x"), None);
    }

    #[test]
    fn what_would_break_a_head_apart_is_no_field() {
        let mut fields = Fields::default();
        for (name, value) in [
            ("x", b"a\r\nforged: 1".as_slice()),
            ("x", b"a\0"),
            ("x", b"a\x7f"),
            ("x\r\n", b"a"),
            ("x y", b"a"),
            ("x:", b"a"),
            ("", b"a"),
        ] {
            fields.put(name, value);
        }
        assert!(fields.is_empty());

        fields.put("x", b"caf\xe9\tau lait");
        assert_eq!(fields.first("x"), Some(b"caf\xe9\tau lait".as_slice()));
    }

    #[test]
    fn fields_of_a_head_lie_where_the_parser_found_them() {
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nX-B:  c\r\n\r\n".as_slice();
        let parts = [
            (&head[17..21], &head[23..24]),
            (&head[26..29], &head[32..33]),
        ];
        let elsewhere = [(b"x".as_slice(), b"y".as_slice())];

        let fields = Fields::of_head(head, parts.into_iter());
        let all: Vec<_> = fields.iter().collect();

        assert_eq!(all, [("host", b"a".as_slice()), ("x-b", b"c")]);
        assert!(Fields::of_head(head, elsewhere.into_iter()).is_empty());
    }

    #[test]
    fn fields_and_a_map_of_them_say_the_same() {
        let mut map = HeaderMap::new();
        map.append("a", HeaderValue::from_static("1"));
        map.append("a", HeaderValue::from_static("2"));
        map.append("b", HeaderValue::from_static("3"));

        assert_eq!(HeaderMap::from(&Fields::from(&map)), map);
    }

    #[test]
    fn fields_show_no_value() {
        let fields: Fields = [("authorization", "Bearer secret")].into_iter().collect();

        assert_eq!(format!("{fields:?}"), "[\"authorization\"]");
    }

    #[test]
    fn fields_that_are_not_retained_are_gone() {
        let mut fields: Fields = [("a", "1"), ("b", "2")].into_iter().collect();

        fields.retain(|name, _| name == "b");

        assert_eq!(fields.len(), 1);
        assert_eq!(fields.first("a"), None);
    }
}
