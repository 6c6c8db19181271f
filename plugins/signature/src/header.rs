//! Items of a header: signatures and timestamps as they stand in one value or in a list.

use std::fmt;

use crate::scheme::Source;

/// Signatures that are tried for one webhook. Each costs a check over the body, and a sender in
/// the middle of a rotation writes two or three.
pub const MAX_CANDIDATES: usize = 16;

/// Why a header does not say what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// No such header, or nothing in it.
    Absent(&'a str),
    /// One value is meant and there are several: which one counts is anybody's guess.
    Repeated(&'a str),
    /// None of its items begins with the prefix.
    NoItem(&'a str, &'a str),
    /// More than [`MAX_CANDIDATES`].
    TooMany(&'a str),
    /// Not UTF-8.
    NotText(&'a str),
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(header) => write!(f, "the header `{header}` is absent or empty"),
            Self::Repeated(header) => write!(f, "the header `{header}` has several values"),
            Self::NoItem(header, prefix) => {
                write!(
                    f,
                    "the header `{header}` has nothing that begins with `{prefix}`"
                )
            }
            Self::TooMany(header) => {
                write!(
                    f,
                    "the header `{header}` has more than {MAX_CANDIDATES} items"
                )
            }
            Self::NotText(header) => write!(f, "the header `{header}` is not text"),
        }
    }
}

/// The items that `source` means, prefix removed, in the lines of its header.
///
/// # Errors
/// When there is none, too many, or no saying which.
pub fn items<'v, 's>(
    source: &Source<'s>,
    lines: &'v [Vec<u8>],
) -> Result<Vec<&'v str>, Refusal<'s>> {
    if source.separator.is_none() && lines.len() > 1 {
        return Err(Refusal::Repeated(source.header));
    }
    let mut items = Vec::with_capacity(2);
    let mut empty = true;
    for line in lines {
        let line = std::str::from_utf8(line).map_err(|_| Refusal::NotText(source.header))?;
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
                return Err(Refusal::TooMany(source.header));
            }
            items.push(value);
            Ok(())
        };
        match source.separator {
            Some(separator) => match single(separator) {
                Some(character) => line.split(character).try_for_each(take)?,
                None => line.split(separator).try_for_each(take)?,
            },
            None => take(line)?,
        }
    }
    match items.is_empty() {
        false => Ok(items),
        true if empty => Err(Refusal::Absent(source.header)),
        true => Err(Refusal::NoItem(source.header, source.prefix)),
    }
}

/// A separator of one character, which is what all providers use: splitting there costs a tenth of
/// splitting at a text.
fn single(separator: &str) -> Option<char> {
    let mut characters = separator.chars();
    characters.next().filter(|_| characters.as_str().is_empty())
}

/// The one item that `source` means; a repetition must say the same.
///
/// # Errors
/// As [`items`], and when the items differ.
pub fn only_item<'v, 's>(
    source: &Source<'s>,
    lines: &'v [Vec<u8>],
) -> Result<&'v str, Refusal<'s>> {
    match items(source, lines)?.as_slice() {
        [first, rest @ ..] if rest.iter().all(|other| other == first) => Ok(first),
        _ => Err(Refusal::Repeated(source.header)),
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_CANDIDATES, Refusal, Source, items, only_item};

    const fn list(separator: &'static str, prefix: &'static str) -> Source<'static> {
        Source {
            header: "sig",
            separator: Some(separator),
            prefix,
        }
    }

    const SINGLE: Source<'static> = Source {
        header: "sig",
        separator: None,
        prefix: "sha256=",
    };

    fn lines(lines: &[&str]) -> Vec<Vec<u8>> {
        lines.iter().map(|line| line.as_bytes().to_vec()).collect()
    }

    #[test]
    fn every_item_with_the_prefix_counts_and_others_are_skipped() {
        let stripe = lines(&["t=1,v1=aa,v0=bb,v1=cc"]);
        assert_eq!(items(&list(",", "v1="), &stripe), Ok(vec!["aa", "cc"]));
        assert_eq!(only_item(&list(",", "t="), &stripe), Ok("1"));
        let standard = lines(&["v1,YWE= v1a,eHg= v1,YmI="]);
        assert_eq!(
            items(&list(" ", "v1,"), &standard),
            Ok(vec!["YWE=", "YmI="])
        );
        let long = lines(&["a=1 ; a=2; b=3"]);
        assert_eq!(items(&list(" ; ", "a="), &long), Ok(vec!["1", "2; b=3"]));
        let paddle = lines(&["ts=1;h1=aa;h1=bb"]);
        assert_eq!(items(&list(";", "h1="), &paddle), Ok(vec!["aa", "bb"]));
    }

    #[test]
    fn a_list_may_be_spread_over_lines_and_blanks() {
        let spread = lines(&["t=1 , v1=aa", "v1=bb"]);
        assert_eq!(items(&list(",", "v1="), &spread), Ok(vec!["aa", "bb"]));
    }

    #[test]
    fn a_repeated_single_value_is_ambiguous() {
        let twice = lines(&["sha256=aa", "sha256=aa"]);
        assert_eq!(items(&SINGLE, &twice), Err(Refusal::Repeated("sig")));
        assert_eq!(items(&SINGLE, &lines(&["sha256=aa"])), Ok(vec!["aa"]));
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
        let source = list(",", "t=");
        assert_eq!(
            only_item(&source, &lines(&["t=1,t=2"])),
            Err(Refusal::Repeated("sig"))
        );
        assert_eq!(
            only_item(&source, &lines(&["t=1", "t=2"])),
            Err(Refusal::Repeated("sig"))
        );
        assert_eq!(
            only_item(&source, &lines(&["t=1,v1=a", "t=1,v1=b"])),
            Ok("1")
        );
    }

    #[test]
    fn an_absent_and_an_empty_header_are_the_same() {
        for absent in [vec![], lines(&[""]), lines(&["  "])] {
            assert_eq!(items(&SINGLE, &absent), Err(Refusal::Absent("sig")));
        }
        assert_eq!(
            items(&list(",", "v1="), &lines(&[",,", ""])),
            Err(Refusal::Absent("sig"))
        );
    }

    #[test]
    fn a_missing_or_differently_written_prefix_has_no_item() {
        for other in ["aa", "sha1=aa", "SHA256=aa", "sha256=", "xsha256=aa"] {
            let lines = lines(&[other]);
            assert_eq!(
                items(&SINGLE, &lines),
                Err(Refusal::NoItem("sig", "sha256=")),
                "{other}"
            );
        }
    }

    #[test]
    fn candidates_are_bounded() {
        let full = "v1=a,".repeat(MAX_CANDIDATES);
        let source = list(",", "v1=");
        assert_eq!(
            items(&source, &lines(&[&full])).unwrap().len(),
            MAX_CANDIDATES
        );
        assert_eq!(
            items(&source, &lines(&[&full, "v1=b"])),
            Err(Refusal::TooMany("sig"))
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(
            items(&SINGLE, &[vec![b'a', 0xff]]),
            Err(Refusal::NotText("sig"))
        );
    }
}
