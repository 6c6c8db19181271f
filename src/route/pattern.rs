//! The parts of a route's pattern.

use http::{HeaderValue, Method};

/// Which webhooks a route takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Lower case and without a port; `*.example.com` stands for one more label. None: any host.
    pub host: Option<Box<str>>,
    /// `/alerts/{team}` matches one segment, `/files/{*rest}` the rest.
    pub path: Box<str>,
    /// Never empty.
    pub methods: Methods,
}

/// The methods of a route, in the order in which they are listed in `Allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Methods(Vec<Method>);

impl Methods {
    /// These, without repeats.
    #[must_use]
    pub fn new(methods: Vec<Method>) -> Self {
        let mut unique = Vec::with_capacity(methods.len());
        for method in methods {
            if !unique.contains(&method) {
                unique.push(method);
            }
        }
        Self(unique)
    }

    /// Whether `method` is one of them.
    #[must_use]
    pub fn allows(&self, method: &Method) -> bool {
        self.0.contains(method)
    }

    /// The methods themselves.
    #[must_use]
    pub fn as_slice(&self) -> &[Method] {
        &self.0
    }

    pub(super) fn shared_with(&self, other: &Self) -> Option<&Method> {
        self.0.iter().find(|method| other.allows(method))
    }

    /// The value of an `Allow` field for all of these together.
    pub(super) fn allow<'a>(all: impl Iterator<Item = &'a Self>) -> HeaderValue {
        let names: Vec<&str> = all
            .flat_map(|methods| &methods.0)
            .map(Method::as_str)
            .collect();
        // A method's name is a token, and so is a legal field value.
        HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static(""))
    }
}

/// Why a path cannot be read, for the configuration's author.
pub(super) fn explain(error: &matchit::InsertError) -> &'static str {
    match error {
        matchit::InsertError::InvalidParamSegment => {
            "only one `{parameter}` fits between two slashes"
        }
        matchit::InsertError::InvalidParam => {
            "a parameter is written `{name}`, and a literal brace `{{` or `}}`"
        }
        matchit::InsertError::InvalidCatchAll => "`{*rest}` must be the last segment",
        _ => "the path cannot be read; write it like `/alerts/{team}` or `/files/{*rest}`",
    }
}
