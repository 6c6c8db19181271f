//! What the presets' providers send: bodies in their published shape.

/// Names the files.
macro_rules! samples {
    ($($preset:literal, $event:literal, $file:literal;)*) => {
        &[$(($preset, $event, include_str!(concat!("samples/", $file)))),*]
    };
}

/// Preset, event, body; `{timestamp}`, `{rfc3339}`, `{uuid}`, `{signature}` and `{value:NAME}` in it are
/// replaced.
const SAMPLES: &[(&str, &str, &str)] = samples! [
    "adyen", "AUTHORISATION", "adyen.AUTHORISATION.json";
    "adyen-platform", "balancePlatform.transfer.created", "adyen-platform.balancePlatform.transfer.created.json";
    "bitbucket", "repo:push", "bitbucket.repo_push.json";
    "calendly", "invitee.created", "calendly.invitee.created.json";
    "clerk", "user.created", "clerk.user.created.json";
    "contentful", "ContentManagement.Entry.publish", "contentful.ContentManagement.Entry.publish.json";
    "discord", "APPLICATION_AUTHORIZED", "discord.APPLICATION_AUTHORIZED.json";
    "discord", "command", "discord.command.json";
    "discord", "ping", "discord.ping.json";
    "docusign", "envelope-completed", "docusign.envelope-completed.json";
    "dropbox", "list_folder", "dropbox.list_folder.json";
    "github", "push", "github.push.json";
    "github", "pull_request", "github.pull_request.json";
    "github", "ping", "github.ping.json";
    "github", "star", "github.star.json";
    "gitlab", "Push Hook", "gitlab.push_hook.json";
    "gitlab-signed", "Push Hook", "gitlab.push_hook.json";
    "hook0", "article.created", "hook0.article.created.json";
    "hubspot", "contact.propertyChange", "hubspot.contact.propertyChange.json";
    "intercom", "conversation.user.created", "intercom.conversation.user.created.json";
    "jira", "jira:issue_created", "jira.jira_issue_created.json";
    "linear", "Issue", "linear.Issue.json";
    "mailgun", "delivered", "mailgun.delivered.json";
    "meta", "messages", "meta.messages.json";
    "microsoft-graph", "created", "microsoft-graph.created.json";
    "notion", "page.content_updated", "notion.page.content_updated.json";
    "okta", "user.lifecycle.create", "okta.user.lifecycle.create.json";
    "openai", "response.completed", "openai.response.completed.json";
    "paddle", "transaction.completed", "paddle.transaction.completed.json";
    "pagerduty", "incident.triggered", "pagerduty.incident.triggered.json";
    "pagerduty", "incident.acknowledged", "pagerduty.incident.acknowledged.json";
    "paypal", "PAYMENT.CAPTURE.COMPLETED", "paypal.PAYMENT.CAPTURE.COMPLETED.json";
    "resend", "email.delivered", "resend.email.delivered.json";
    "sendgrid", "delivered", "sendgrid.delivered.json";
    "sentry", "issue", "sentry.issue.json";
    "shopify", "orders/create", "shopify.orders_create.json";
    "slack", "message", "slack.message.json";
    "slack", "url_verification", "slack.url_verification.json";
    "sns", "Notification", "sns.Notification.json";
    "sns", "SubscriptionConfirmation", "sns.SubscriptionConfirmation.json";
    "square", "payment.updated", "square.payment.updated.json";
    "standard-webhooks", "contact.created", "standard-webhooks.contact.created.json";
    "standard-webhooks-ed25519", "contact.created", "standard-webhooks.contact.created.json";
    "stripe", "invoice.paid", "stripe.invoice.paid.json";
    "stripe", "payment_intent.succeeded", "stripe.payment_intent.succeeded.json";
    "svix", "user.created", "svix.user.created.json";
    "telegram", "message", "telegram.message.json";
    "trello", "updateCard", "trello.updateCard.json";
    "twilio", "sms", "twilio.sms.form";
    "twitch", "channel.follow", "twitch.channel.follow.json";
    "typeform", "form_response", "typeform.form_response.json";
    "vercel", "deployment.created", "vercel.deployment.created.json";
    "workos", "dsync.user.created", "workos.dsync.user.created.json";
    "x", "tweet_create_events", "x.tweet_create_events.json";
    "xero", "UPDATE", "xero.UPDATE.json";
    "zendesk", "zen:event-type:user.created", "zendesk.user.created.json";
    "zoom", "meeting.started", "zoom.meeting.started.json";
];

/// The body of one event, byte for byte as it is signed.
pub(super) fn find(preset: &str, event: &str) -> Option<&'static str> {
    SAMPLES
        .iter()
        .find(|(p, e, _)| *p == preset && *e == event)
        .map(|(_, _, body)| body.trim_end())
}

/// The events of one preset of which there is a sample.
pub fn events(preset: &str) -> impl Iterator<Item = &'static str> {
    SAMPLES
        .iter()
        .filter(move |(p, _, _)| *p == preset)
        .map(|(_, event, _)| *event)
}

#[cfg(test)]
mod tests {
    use super::SAMPLES;

    #[test]
    fn every_sample_is_of_a_preset_that_exists_and_is_what_it_says() {
        for (preset, event, body) in SAMPLES {
            let preset = crate::preset::find(preset).unwrap();
            let body = body.replace("{timestamp}", "1");
            let is_json = serde_json::from_str::<serde_json::Value>(&body).is_ok();
            let is_form = preset.send.content_type == "application/x-www-form-urlencoded";
            assert_eq!(is_json, !is_form, "{} {event}", preset.name);
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
