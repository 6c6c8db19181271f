//! The exports of a plugin with one stage that checks its configuration, from two functions and a
//! description: what every bundled plugin would otherwise write again.

/// Makes `Plugin` and its exports. The judge is given the configuration, read:
///
/// ```
/// use hookgate_sdk::filter::{Failure, Verdict};
/// use hookgate_sdk::json::Json;
///
/// fn judge(_config: &Json<'_>) -> Result<Verdict, Failure> {
///     Ok(Verdict::Forward)
/// }
///
/// fn check(_config: &str) -> Vec<(String, String)> {
///     Vec::new()
/// }
///
/// hookgate_sdk::stage!(filter: judge, check: check, describe: r#"{"name":"open-door"}"#);
/// ```
#[macro_export]
macro_rules! stage {
    (verify: $judge:path, check: $check:path, describe: $describe:expr $(,)?) => {
        $crate::stage!(@lifecycle $check, $describe);

        impl $crate::verify::Guest for Plugin {
            fn verify() -> Result<$crate::verify::Verdict, $crate::verify::Failure> {
                $crate::stage!(@ask $judge, $crate::verify::Failure)
            }
        }

        #[cfg(target_arch = "wasm32")]
        mod export {
            use super::Plugin;
            $crate::export_verify!(Plugin);
            $crate::export_lifecycle!(Plugin);
        }
    };
    (filter: $judge:path, check: $check:path, describe: $describe:expr $(,)?) => {
        $crate::stage!(@lifecycle $check, $describe);

        impl $crate::filter::Guest for Plugin {
            fn filter() -> Result<$crate::filter::Verdict, $crate::filter::Failure> {
                $crate::stage!(@ask $judge, $crate::filter::Failure)
            }
        }

        #[cfg(target_arch = "wasm32")]
        mod export {
            use super::Plugin;
            $crate::export_filter!(Plugin);
            $crate::export_lifecycle!(Plugin);
        }
    };
    (transform: $make:path, check: $check:path, describe: $describe:expr $(,)?) => {
        $crate::stage!(@lifecycle $check, $describe);

        impl $crate::transform::Guest for Plugin {
            fn transform() -> Result<Vec<$crate::deliveries::Delivery>, $crate::transform::Failure> {
                $crate::stage!(@ask $make, $crate::transform::Failure)
            }
        }

        #[cfg(target_arch = "wasm32")]
        mod export {
            use super::Plugin;
            $crate::export_transform!(Plugin);
            $crate::export_lifecycle!(Plugin);
        }
    };
    (@ask $ask:path, $failure:path) => {{
        use $failure as Failure;
        let config = $crate::config::get();
        let table = $crate::json::Json::read(&config)
            .map_err(|_| Failure::Permanent("the configuration is not JSON".into()))?;
        $ask(&table)
    }};
    (@lifecycle $check:path, $describe:expr) => {
        /// The exports.
        pub struct Plugin;

        impl $crate::lifecycle::Guest for Plugin {
            fn describe() -> String {
                $describe.into()
            }

            fn check(config: String) -> Vec<(String, String)> {
                $check(&config)
            }
        }
    };
}

/// For a plugin's own tests: its description is JSON, has the version of its crate, and its schema
/// knows exactly the fields that `check` knows.
///
/// # Panics
/// When that is not so.
pub fn assert_described(description: &str, version: &str, fields: &[&str]) {
    use crate::json::Json;
    let description = Json::read(description).unwrap_or(Json::Null);
    let found = description.get("version").and_then(Json::as_text);
    assert_eq!(found, Some(version), "the version of the description");
    let schema = description.get("config-schema");
    let known: Vec<&str> = schema
        .and_then(|schema| schema.get("properties"))
        .map(Json::members)
        .unwrap_or_default()
        .iter()
        .map(|(name, _)| name.as_ref())
        .collect();
    assert_eq!(known, fields, "the fields of the description");
}
