//! Text with slots: `v0:{timestamp}:{body}`. `{{` and `}}` are literal braces. What a slot may be
//! called is the plugin's affair.

use std::fmt;

/// One piece of a template, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Literal text.
    Text(&'a str),
    /// What stands between `{` and `}`.
    Slot(&'a str),
}

/// A brace without its partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unbalanced {
    /// `{` that is never closed, or that holds another one.
    Open,
    /// `}` that was never opened.
    Close,
}

impl fmt::Display for Unbalanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "a `{` is not closed; a literal brace is written `{{`",
            Self::Close => "a `}` has no `{` before it; a literal brace is written `}}`",
        })
    }
}

/// The pieces of `template`. After an error there are no more.
pub fn pieces(template: &str) -> impl Iterator<Item = Result<Piece<'_>, Unbalanced>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, tail) = next(rest);
        rest = tail;
        Some(piece)
    })
}

/// The first piece of a template that is not empty, and what follows.
#[inline(never)] // it is looked for in many places
fn next(rest: &str) -> (Result<Piece<'_>, Unbalanced>, &str) {
    match rest.find(['{', '}']) {
        None => (Ok(Piece::Text(rest)), ""),
        Some(0) => {
            for literal in ["{{", "}}"] {
                if let Some((brace, tail)) = rest
                    .strip_prefix(literal)
                    .zip(rest.get(..1))
                    .map(|(t, b)| (b, t))
                {
                    return (Ok(Piece::Text(brace)), tail);
                }
            }
            let Some(inside) = rest.strip_prefix('{') else {
                return (Err(Unbalanced::Close), "");
            };
            match inside.split_once('}') {
                Some((slot, tail)) if !slot.contains('{') => (Ok(Piece::Slot(slot)), tail),
                _ => (Err(Unbalanced::Open), ""),
            }
        }
        Some(at) => {
            let (text, tail) = rest.split_at(at);
            (Ok(Piece::Text(text)), tail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Piece, Unbalanced, pieces};

    fn all(template: &str) -> Result<Vec<Piece<'_>>, Unbalanced> {
        pieces(template).collect()
    }

    #[test]
    fn text_and_slots_come_in_order() {
        use Piece::{Slot, Text};
        assert_eq!(
            all("v0:{timestamp}:{body}"),
            Ok(vec![
                Text("v0:"),
                Slot("timestamp"),
                Text(":"),
                Slot("body")
            ])
        );
        assert_eq!(all(""), Ok(vec![]));
    }

    #[test]
    fn doubled_braces_are_literal() {
        use Piece::{Slot, Text};
        assert_eq!(all("{{{a}}}"), Ok(vec![Text("{"), Slot("a"), Text("}")]));
        assert_eq!(all("{{a}}"), Ok(vec![Text("{"), Text("a"), Text("}")]));
    }

    #[test]
    fn a_single_brace_is_unbalanced() {
        assert_eq!(all("a{b"), Err(Unbalanced::Open));
        assert_eq!(all("a{b{c}"), Err(Unbalanced::Open));
        assert_eq!(all("a}b"), Err(Unbalanced::Close));
    }
}
