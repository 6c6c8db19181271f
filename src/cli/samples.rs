//! What the presets' providers send: bodies in their published shape.

/// Preset, event, body.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("github", "push", include_str!("samples/github.push.json")),
    (
        "github",
        "pull_request",
        include_str!("samples/github.pull_request.json"),
    ),
    ("github", "ping", include_str!("samples/github.ping.json")),
    ("github", "star", include_str!("samples/github.star.json")),
    (
        "shopify",
        "orders/create",
        include_str!("samples/shopify.orders_create.json"),
    ),
    (
        "slack",
        "message",
        include_str!("samples/slack.message.json"),
    ),
    (
        "slack",
        "url_verification",
        include_str!("samples/slack.url_verification.json"),
    ),
    (
        "standard-webhooks",
        "contact.created",
        include_str!("samples/standard-webhooks.contact.created.json"),
    ),
    (
        "stripe",
        "invoice.paid",
        include_str!("samples/stripe.invoice.paid.json"),
    ),
    (
        "stripe",
        "payment_intent.succeeded",
        include_str!("samples/stripe.payment_intent.succeeded.json"),
    ),
];

/// The body of one event, byte for byte as it is signed.
pub(super) fn find(preset: &str, event: &str) -> Option<&'static str> {
    SAMPLES
        .iter()
        .find(|(p, e, _)| *p == preset && *e == event)
        .map(|(_, _, body)| body.trim_end())
}

/// The events of one preset.
pub(super) fn events(preset: &str) -> impl Iterator<Item = &'static str> {
    SAMPLES
        .iter()
        .filter(move |(p, _, _)| *p == preset)
        .map(|(_, event, _)| *event)
}

#[cfg(test)]
mod tests {
    use super::SAMPLES;

    #[test]
    fn every_sample_is_json_of_a_preset_that_exists() {
        for (preset, event, body) in SAMPLES {
            assert!(crate::preset::find(preset).is_some(), "{preset}");
            assert!(
                serde_json::from_str::<serde_json::Value>(body).is_ok(),
                "{preset} {event}"
            );
        }
    }

    #[test]
    fn every_preset_has_a_sample() {
        for preset in crate::preset::all() {
            assert!(
                super::events(preset.name).next().is_some(),
                "{}",
                preset.name
            );
        }
    }
}
