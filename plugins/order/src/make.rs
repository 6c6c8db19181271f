//! The delivery, with the key of the line in which it stands.

use hookgate_sdk::deliveries::Delivery;
use hookgate_sdk::json::Json;
use hookgate_sdk::known::{self, Unknown};
use hookgate_sdk::transform::Failure;

/// The delivery under the configuration.
pub(crate) fn make(table: &Json<'_>) -> Result<Vec<Delivery>, Failure> {
    let delivery = Delivery::new();
    let nowhere = || Err(Unknown::Fault("the configuration says no place".into()));
    match known::key(table).unwrap_or_else(nowhere) {
        Ok(key) => delivery.set_ordering_key(&key),
        Err(unknown) => unknown.allowed(table)?,
    }
    Ok(vec![delivery])
}
