//! Which route: a map from host, path and method to values of `T`. No I/O, and no knowledge of what a
//! route carries.
//!
//! Paths are matched as the sender wrote them: `%2F` stays `%2F`. A trailing slash is another path.

mod pattern;

use std::collections::BTreeMap;

use http::{HeaderValue, Method};

pub use pattern::{Methods, Pattern};

/// Patterns to values, most specific first; built once, never changed.
///
/// Order of precedence: the exact host, then `*.host`, then routes without a host; within a host the
/// more specific path. A host that has a route for the path is not left for a less specific one.
#[derive(Debug)]
pub struct Table<T> {
    exact: BTreeMap<Box<str>, Paths<T>>,
    wildcard: BTreeMap<Box<str>, Paths<T>>,
    any: Paths<T>,
}

/// One host's paths, each with the routes that share it by method.
#[derive(Debug)]
struct Paths<T> {
    router: matchit::Router<usize>,
    entries: Vec<Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    path: Box<str>,
    routes: Vec<(Methods, usize, T)>,
}

/// What a lookup found.
#[derive(Debug)]
pub enum Found<'t, T> {
    /// This one.
    Route(&'t T),
    /// The path has routes, none of them for this method; the value of `Allow` (RFC 9110, 10.2.1).
    MethodNotAllowed(HeaderValue),
    /// No route has this host and path.
    Nothing,
}

/// Two patterns that would match the same webhook, or one that cannot be read (`first == second`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Index of the earlier pattern.
    pub first: usize,
    /// Index of the later one.
    pub second: usize,
    /// What is wrong, in one sentence.
    pub reason: String,
}

impl<T> Table<T> {
    /// Builds the table.
    ///
    /// # Errors
    /// Every conflict, by the indices of the patterns given.
    pub fn build(routes: Vec<(Pattern, T)>) -> Result<Self, Vec<Conflict>> {
        let mut table = Self {
            exact: BTreeMap::new(),
            wildcard: BTreeMap::new(),
            any: Paths::new(),
        };
        let mut conflicts = Vec::new();
        for (index, (pattern, value)) in routes.into_iter().enumerate() {
            let paths = match pattern.host.as_deref() {
                None => &mut table.any,
                Some(host) => match host.strip_prefix("*.") {
                    Some(parent) => table
                        .wildcard
                        .entry(parent.into())
                        .or_insert_with(Paths::new),
                    None => table.exact.entry(host.into()).or_insert_with(Paths::new),
                },
            };
            if let Err(conflict) = paths.insert(index, &pattern, value) {
                conflicts.push(conflict);
            }
        }
        if conflicts.is_empty() {
            Ok(table)
        } else {
            Err(conflicts)
        }
    }

    /// All values, in no order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        let named = self.exact.values().chain(self.wildcard.values());
        named
            .chain([&self.any])
            .flat_map(|paths| &paths.entries)
            .flat_map(|entry| &entry.routes)
            .map(|(_, _, value)| value)
    }

    /// Finds the route. `host` is without a port, in any case; `path` is raw and without the query.
    #[must_use]
    pub fn lookup(&self, host: Option<&str>, method: &Method, path: &str) -> Found<'_, T> {
        if let Some(host) = host
            && !(self.exact.is_empty() && self.wildcard.is_empty())
        {
            let host = host.to_ascii_lowercase();
            let parent = host.split_once('.').map(|(_, parent)| parent);
            let by_name = self.exact.get(host.as_str()).into_iter();
            let by_parent = parent
                .and_then(|parent| self.wildcard.get(parent))
                .into_iter();
            for paths in by_name.chain(by_parent) {
                match paths.lookup(method, path) {
                    Found::Nothing => {}
                    found => return found,
                }
            }
        }
        self.any.lookup(method, path)
    }
}

impl<T> Paths<T> {
    fn new() -> Self {
        Self {
            router: matchit::Router::new(),
            entries: Vec::new(),
        }
    }

    fn insert(&mut self, index: usize, pattern: &Pattern, value: T) -> Result<(), Conflict> {
        let conflict = |first, reason| Conflict {
            first,
            second: index,
            reason,
        };
        if let Some(entry) = self
            .entries
            .iter_mut()
            .find(|entry| entry.path == pattern.path)
        {
            for (methods, first, _) in &entry.routes {
                if let Some(method) = methods.shared_with(&pattern.methods) {
                    let reason = format!("both take {method} {}", pattern.path);
                    return Err(conflict(*first, reason));
                }
            }
            entry.routes.push((pattern.methods.clone(), index, value));
            return Ok(());
        }
        match self
            .router
            .insert(pattern.path.to_string(), self.entries.len())
        {
            Ok(()) => {
                let routes = vec![(pattern.methods.clone(), index, value)];
                self.entries.push(Entry {
                    path: pattern.path.clone(),
                    routes,
                });
                Ok(())
            }
            Err(matchit::InsertError::Conflict { with }) => {
                let first = self
                    .entries
                    .iter()
                    .find(|entry| *entry.path == *with)
                    .and_then(|entry| entry.routes.first())
                    .map_or(index, |(_, first, _)| *first);
                let reason = format!("`{}` and `{with}` match the same paths", pattern.path);
                Err(conflict(first, reason))
            }
            Err(error) => Err(conflict(index, pattern::explain(&error).to_owned())),
        }
    }

    fn lookup(&self, method: &Method, path: &str) -> Found<'_, T> {
        let Ok(found) = self.router.at(path) else {
            return Found::Nothing;
        };
        let Some(entry) = self.entries.get(*found.value) else {
            return Found::Nothing;
        };
        match entry
            .routes
            .iter()
            .find(|(methods, _, _)| methods.allows(method))
        {
            Some((_, _, value)) => Found::Route(value),
            None => Found::MethodNotAllowed(Methods::allow(
                entry.routes.iter().map(|(methods, _, _)| methods),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Methods, Pattern, Table};
    use http::Method;

    fn pattern(host: Option<&str>, path: &str, methods: &[Method]) -> Pattern {
        Pattern {
            host: host.map(Into::into),
            path: path.into(),
            methods: Methods::new(methods.to_vec()),
        }
    }

    fn post(path: &str) -> Pattern {
        pattern(None, path, &[Method::POST])
    }

    fn found<'t>(table: &'t Table<&'static str>, host: &str, path: &str) -> Option<&'t str> {
        match table.lookup(Some(host), &Method::POST, path) {
            Found::Route(name) => Some(name),
            Found::MethodNotAllowed(_) | Found::Nothing => None,
        }
    }

    #[test]
    fn the_more_specific_path_wins_whatever_the_order() {
        let table = Table::build(vec![
            (post("/alerts/{team}"), "any"),
            (post("/alerts/ops"), "ops"),
            (post("/files/{*rest}"), "files"),
        ])
        .unwrap();

        assert_eq!(found(&table, "h", "/alerts/ops"), Some("ops"));
        assert_eq!(found(&table, "h", "/alerts/web"), Some("any"));
        assert_eq!(found(&table, "h", "/files/a/b"), Some("files"));
        assert_eq!(
            found(&table, "h", "/alerts/ops/"),
            None,
            "a trailing slash is another path"
        );
        assert_eq!(
            found(&table, "h", "/%61lerts/ops"),
            None,
            "paths are matched as written"
        );
    }

    #[test]
    fn an_exact_host_beats_a_wildcard_which_beats_none() {
        let table = Table::build(vec![
            (post("/hook"), "any"),
            (
                pattern(Some("*.example.com"), "/hook", &[Method::POST]),
                "wildcard",
            ),
            (
                pattern(Some("a.example.com"), "/hook", &[Method::POST]),
                "exact",
            ),
        ])
        .unwrap();

        assert_eq!(found(&table, "A.Example.com", "/hook"), Some("exact"));
        assert_eq!(found(&table, "b.example.com", "/hook"), Some("wildcard"));
        assert_eq!(found(&table, "example.com", "/hook"), Some("any"));
        assert_eq!(
            found(&table, "a.b.example.com", "/hook"),
            Some("any"),
            "one label only"
        );
    }

    #[test]
    fn a_wrong_method_names_the_right_ones() {
        let table = Table::build(vec![
            (post("/hook"), "post"),
            (pattern(None, "/hook", &[Method::GET, Method::HEAD]), "get"),
        ])
        .unwrap();

        assert!(matches!(
            table.lookup(None, &Method::GET, "/hook"),
            Found::Route(&"get")
        ));
        let Found::MethodNotAllowed(allow) = table.lookup(None, &Method::PUT, "/hook") else {
            panic!("PUT has no route");
        };
        assert_eq!(allow, "POST, GET, HEAD");
    }

    #[test]
    fn two_routes_for_the_same_webhook_are_a_conflict() {
        let conflicts = Table::build(vec![
            (post("/hook"), 0),
            (post("/alerts/{team}"), 1),
            (post("/hook"), 2),
            (post("/alerts/{name}"), 3),
            (post("/broken/{"), 4),
        ])
        .unwrap_err();

        let pairs: Vec<_> = conflicts.iter().map(|c| (c.first, c.second)).collect();
        assert_eq!(pairs, [(0, 2), (1, 3), (4, 4)]);
        assert_eq!(conflicts[0].reason, "both take POST /hook");
        assert_eq!(
            conflicts[1].reason,
            "`/alerts/{name}` and `/alerts/{team}` match the same paths"
        );
    }
}
