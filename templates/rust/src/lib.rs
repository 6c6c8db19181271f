//! {{name}}: checks a signature, drops pings, and tells the upstream the type in a header.

wit_bindgen::generate!({ path: "wit", world: "stages", generate_all });

use std::sync::Once;

use exports::hookgate::plugin::{filter, lifecycle, transform, verify};
use hookgate::plugin::crypto::{CryptoError, Encoding, Part};
use hookgate::plugin::deliveries::Delivery;
use hookgate::plugin::log::{self, Level};
use hookgate::plugin::types::{Failure, Rejection};
use hookgate::plugin::{crypto, webhook};

struct Plugin;
export!(Plugin);

/// The name of the key: where `with` has the secret. The key itself stays in the host.
const KEY: &str = "secret";

impl verify::Guest for Plugin {
    fn verify() -> Result<verify::Verdict, Failure> {
        last_words();
        let reject = |reason: &str| Ok(verify::Verdict::Reject(rejection(401, reason)));
        let header = webhook::header("x-signature");
        let Some(signature) = header.as_deref().and_then(|text| text.strip_prefix("sha256=")) else {
            return reject("no signature");
        };
        match crypto::verify(KEY, "hmac-sha256", &[Part::Body], signature, Encoding::Hex) {
            Ok(true) => Ok(verify::Verdict::Accept),
            Ok(false) => reject("the signature does not match"),
            Err(CryptoError::Malformed) => reject("the signature cannot be read"),
            Err(error) => Err(Failure::Permanent(format!("the key cannot be used: {error}"))),
        }
    }
}

impl filter::Guest for Plugin {
    fn filter() -> Result<filter::Verdict, Failure> {
        last_words();
        Ok(match webhook::json_string("/type").as_deref() {
            None => filter::Verdict::Reject(rejection(400, "the body has no `/type`")),
            Some("ping") => filter::Verdict::Drop("a ping".into()),
            Some(event) => {
                webhook::set_note("event", event);
                filter::Verdict::Forward
            }
        })
    }
}

impl transform::Guest for Plugin {
    fn transform() -> Result<Vec<Delivery>, Failure> {
        last_words();
        let event = webhook::note("event").unwrap_or_default();
        let delivery = Delivery::new();
        delivery.set_header("x-event-type", &event);
        Ok(vec![delivery])
    }
}

impl lifecycle::Guest for Plugin {
    fn describe() -> String {
        r#"{"name":"{{name}}","version":"0.1.0","description":"Checks a signature and drops pings"}"#.into()
    }

    fn check(config: String) -> Vec<(String, String)> {
        // A real plugin would read it with a JSON crate.
        match config.contains("\"secret\":") {
            true => vec![],
            false => vec![(String::new(), "say where the secret is: secret = { env = \"NAME\" }".into())],
        }
    }
}

fn rejection(status: u16, reason: &str) -> Rejection {
    Rejection { status, reason: reason.into() }
}

/// A sandbox has no standard error here: what a panic says goes to the log.
fn last_words() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| log::write(Level::Error, &panic.to_string(), &[])));
    });
}
