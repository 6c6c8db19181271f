//! Items of a header: signatures and timestamps as they stand in one value or in a list.

use std::fmt;

use crate::scheme::{Place, Source};

/// Signatures that are tried for one webhook. Each costs a check over the body, and a sender in
/// the middle of a rotation writes two or three.
pub const MAX_CANDIDATES: usize = 16;

/// Why a header does not say what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// No such header, or nothing in it.
    Absent(Place<'a>),
    /// One value is meant and there are several: which one counts is anybody's guess.
    Repeated(Place<'a>),
    /// None of its items begins with the prefix.
    NoItem(Place<'a>, &'a str),
    /// More than [`MAX_CANDIDATES`].
    TooMany(Place<'a>),
    /// Not UTF-8.
    NotText(Place<'a>),
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(place) => write!(f, "{place} is absent or empty"),
            Self::Repeated(place) => write!(f, "{place} has several values"),
            Self::NoItem(place, prefix) => {
                write!(f, "{place} has nothing that begins with `{prefix}`")
            }
            Self::TooMany(place) => write!(f, "{place} has more than {MAX_CANDIDATES} items"),
            Self::NotText(place) => write!(f, "{place} is not text"),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "the header `{name}`"),
            Self::Query(name) => write!(f, "the query parameter `{name}`"),
            Self::Pointer(pointer) => write!(f, "`{pointer}` in the body"),
            Self::Method => f.write_str("the method"),
        }
    }
}

/// The items that `source` means, prefix removed, in the lines of its header.
///
/// # Errors
/// When there is none, too many, or no saying which.
#[inline(never)]
pub fn items<'v, 's>(
    source: &Source<'s>,
    lines: &'v [Vec<u8>],
) -> Result<Vec<&'v str>, Refusal<'s>> {
    if source.separator.is_none() && !source.numbered && lines.len() > 1 {
        return Err(Refusal::Repeated(source.place));
    }
    let mut items = Vec::with_capacity(2);
    let mut empty = true;
    for line in lines {
        let line = std::str::from_utf8(line).map_err(|_| Refusal::NotText(source.place))?;
        let mut take = |item: &'v str| {
            let item = item.trim_matches([' ', '\t']);
            empty &= item.is_empty();
            let Some(value) = item
                .strip_prefix(source.prefix)
                .filter(|value| !value.is_empty())
            else {
                return Ok(());
            };
            if items.len() == MAX_CANDIDATES {
                return Err(Refusal::TooMany(source.place));
            }
            items.push(value);
            Ok(())
        };
        match source.separator {
            Some(separator) => line.split(separator).try_for_each(take)?,
            None => take(line)?,
        }
    }
    match items.is_empty() {
        false => Ok(items),
        true if empty => Err(Refusal::Absent(source.place)),
        true => Err(Refusal::NoItem(source.place, source.prefix)),
    }
}

/// The one item that `source` means; a repetition must say the same.
///
/// # Errors
/// As [`items`], and when the items differ.
#[inline(never)]
pub fn only_item<'v, 's>(
    source: &Source<'s>,
    lines: &'v [Vec<u8>],
) -> Result<&'v str, Refusal<'s>> {
    match items(source, lines)?.as_slice() {
        [first, rest @ ..] if rest.iter().all(|other| other == first) => Ok(first),
        _ => Err(Refusal::Repeated(source.place)),
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_CANDIDATES, Place, Refusal, Source, items, only_item};

    const SIG: Place<'static> = Place::Header("sig");

    const fn list(separator: char, prefix: &'static str) -> Source<'static> {
        Source {
            place: SIG,
            separator: Some(separator),
            prefix,
            numbered: false,
        }
    }

    const SINGLE: Source<'static> = Source {
        place: SIG,
        separator: None,
        prefix: "sha256=",
        numbered: false,
    };

    fn lines(lines: &[&str]) -> Vec<Vec<u8>> {
        lines.iter().map(|line| line.as_bytes().to_vec()).collect()
    }

    #[test]
    fn every_item_with_the_prefix_counts_and_others_are_skipped() {
        let stripe = lines(&["t=1,v1=aa,v0=bb,v1=cc"]);
        assert_eq!(items(&list(',', "v1="), &stripe), Ok(vec!["aa", "cc"]));
        assert_eq!(only_item(&list(',', "t="), &stripe), Ok("1"));
        let standard = lines(&["v1,YWE= v1a,eHg= v1,YmI="]);
        assert_eq!(
            items(&list(' ', "v1,"), &standard),
            Ok(vec!["YWE=", "YmI="])
        );
        let paddle = lines(&["ts=1;h1=aa;h1=bb"]);
        assert_eq!(items(&list(';', "h1="), &paddle), Ok(vec!["aa", "bb"]));
    }

    #[test]
    fn a_list_may_be_spread_over_lines_and_blanks() {
        let spread = lines(&["t=1 , v1=aa", "v1=bb"]);
        assert_eq!(items(&list(',', "v1="), &spread), Ok(vec!["aa", "bb"]));
    }

    #[test]
    fn a_repeated_single_value_is_ambiguous() {
        let twice = lines(&["sha256=aa", "sha256=aa"]);
        assert_eq!(items(&SINGLE, &twice), Err(Refusal::Repeated(SIG)));
        assert_eq!(items(&SINGLE, &lines(&["sha256=aa"])), Ok(vec!["aa"]));
    }

    #[test]
    fn numbered_headers_are_one_list() {
        let source = Source {
            numbered: true,
            prefix: "",
            ..SINGLE
        };
        assert_eq!(items(&source, &lines(&["aa", "bb"])), Ok(vec!["aa", "bb"]));
    }

    #[test]
    fn a_comma_in_a_single_value_belongs_to_the_value() {
        assert_eq!(
            items(&SINGLE, &lines(&["sha256=aa,sha256=bb"])),
            Ok(vec!["aa,sha256=bb"])
        );
    }

    #[test]
    fn timestamps_that_differ_are_ambiguous() {
        let source = list(',', "t=");
        assert_eq!(
            only_item(&source, &lines(&["t=1,t=2"])),
            Err(Refusal::Repeated(SIG))
        );
        assert_eq!(
            only_item(&source, &lines(&["t=1", "t=2"])),
            Err(Refusal::Repeated(SIG))
        );
        assert_eq!(
            only_item(&source, &lines(&["t=1,v1=a", "t=1,v1=b"])),
            Ok("1")
        );
    }

    #[test]
    fn an_absent_and_an_empty_header_are_the_same() {
        for absent in [vec![], lines(&[""]), lines(&["  "])] {
            assert_eq!(items(&SINGLE, &absent), Err(Refusal::Absent(SIG)));
        }
        assert_eq!(
            items(&list(',', "v1="), &lines(&[",,", ""])),
            Err(Refusal::Absent(SIG))
        );
    }

    #[test]
    fn a_missing_or_differently_written_prefix_has_no_item() {
        for other in ["aa", "sha1=aa", "SHA256=aa", "sha256=", "xsha256=aa"] {
            let lines = lines(&[other]);
            assert_eq!(
                items(&SINGLE, &lines),
                Err(Refusal::NoItem(SIG, "sha256=")),
                "{other}"
            );
        }
    }

    #[test]
    fn candidates_are_bounded() {
        let full = "v1=a,".repeat(MAX_CANDIDATES);
        let source = list(',', "v1=");
        assert_eq!(
            items(&source, &lines(&[&full])).unwrap().len(),
            MAX_CANDIDATES
        );
        assert_eq!(
            items(&source, &lines(&[&full, "v1=b"])),
            Err(Refusal::TooMany(SIG))
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(
            items(&SINGLE, &[vec![b'a', 0xff]]),
            Err(Refusal::NotText(SIG))
        );
    }
}
