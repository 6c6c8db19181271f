//! The bundled plugin `json-filter`: is the webhook wanted? The configuration names conditions on
//! the event, on values of the JSON body and on headers; all must hold (`rules`). What does not
//! match is dropped with the reason; what cannot be judged is a failure, because a drop tells the
//! sender that all is well.

pub mod check;
pub mod rules;

mod judge;

use hookgate_sdk::{config, filter, lifecycle};

/// The exports.
pub struct Plugin;

#[cfg(target_arch = "wasm32")]
mod export {
    use super::Plugin;
    hookgate_sdk::export_filter!(Plugin);
    hookgate_sdk::export_lifecycle!(Plugin);
}

impl filter::Guest for Plugin {
    fn filter() -> Result<filter::Verdict, filter::Failure> {
        judge::judge(&config::get())
    }
}

impl lifecycle::Guest for Plugin {
    fn describe() -> String {
        include_str!("describe.json").into()
    }

    fn check(config: String) -> Vec<(String, String)> {
        check::check(&config)
    }
}
