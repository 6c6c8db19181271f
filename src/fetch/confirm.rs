//! Subscriptions that want to be confirmed: a webhook asks for a call of a URL, and the configuration says
//! that the host may make it, and where.

use serde_json::Value;

use super::{Certified, Settings, What, fetch};
use crate::delivery::UpstreamUrl;
use crate::plugin::is_of_host;
use crate::webhook::Webhook;

/// How a sender asks, and where a call may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// Pointer into the body, and what is there when one is asked for.
    pub when: (String, String),
    /// Pointer to the URL.
    pub url: String,
    /// Where it may be: at the host of the sender's certificates.
    pub settings: Settings,
}

impl Confirmation {
    /// Confirms what the webhook asks for; none where it asks for nothing. It must be verified: what it
    /// says is done.
    ///
    /// Dropping the future leaves open whether the call was made.
    ///
    /// # Errors
    /// Why nothing was confirmed: the sender should ask again.
    pub async fn of(&self, webhook: &Webhook) -> Option<Result<(), String>> {
        let body: Value = serde_json::from_slice(&webhook.body).ok()?;
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
        let (pointer, wanted) = &self.when;
        if text(pointer) != Some(wanted) {
            return None;
        }
        Some(self.call(text(&self.url).unwrap_or_default()).await)
    }

    async fn call(&self, url: &str) -> Result<(), String> {
        let What::Certificates(Certified { host, .. }) = &self.settings.what else {
            return Err("nobody says at which host subscriptions are confirmed".to_owned());
        };
        if !is_of_host(url, host) {
            return Err(format!(
                "the subscription is to be confirmed elsewhere than at `{host}`"
            ));
        }
        let url = UpstreamUrl::parse(url)?;
        match fetch(&self.settings, &url).await {
            Ok(_) => Ok(()),
            Err(why) => Err(format!(
                "the subscription is not confirmed: `{}` {why}",
                url.authority()
            )),
        }
    }
}
