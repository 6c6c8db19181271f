//! The recipes run as they are written, with the commands that stand in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{Call, Gate, Upstream, folder};

const SECRET: &str = "It's a Secret to Everybody";
/// Standard Webhooks: a prefix and base64.
const STANDARD: &str = "whsec_dHdlbnR5LWZvdXIgYnl0ZXMgb2YgbmV3";

fn recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes")
}

/// A recipe that runs, with the environment that its head asks for.
struct Kitchen {
    gate: Gate,
    recipe: String,
    env: Vec<(&'static str, String)>,
}

impl Kitchen {
    async fn open(name: &str, env: &[(&'static str, String)]) -> Self {
        let recipe = fs::read_to_string(recipes().join(format!("{name}.toml"))).unwrap();
        for (variable, _) in env {
            assert!(recipe.contains(&format!("{variable}=")), "{variable}");
        }
        let pairs: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, &**value)).collect();
        let gate = Gate::start_in(folder(), &recipe, &pairs).await;
        let env = env.to_vec();
        Self { gate, recipe, env }
    }

    /// Runs a command that stands in the recipe's head; only the address is this test's own.
    async fn run(&self, command: &str) -> Output {
        let written = format!("#   hookgate {command}\n");
        assert!(self.recipe.contains(&written), "{command}");
        self.send(command, &[]).await
    }

    async fn send(&self, command: &str, more: &[&str]) -> Output {
        let path = self.recipe.lines().find(|line| line.starts_with("path "));
        let path = path.unwrap().split('"').nth(1).unwrap();
        Command::new(env!("CARGO_BIN_EXE_hookgate"))
            .args(command.split(' '))
            .args(["--to", &format!("http://{}{path}", self.gate.address)])
            .args(more)
            .current_dir(self.gate.folder())
            .env(
                "HOOKGATE_CACHE",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-cache"),
            )
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .output()
            .await
            .unwrap()
    }
}

/// What a successful run printed.
fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    text
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[tokio::test]
async fn payment_events_reach_billing_once() {
    let mut billing = Upstream::ok().await;
    let env = [
        ("STRIPE_WEBHOOK_SECRET", SECRET.into()),
        ("BILLING_URL", billing.url()),
    ];
    let kitchen = Kitchen::open("payments-to-billing", &env).await;

    printed(&kitchen.run("send stripe invoice.paid").await);
    let paid = billing.next().await;
    assert_eq!(
        (paid.target.as_str(), &parsed(&paid.body)["type"]),
        ("/payments", &"invoice.paid".into())
    );
    assert!(paid.field("stripe-signature").is_some());

    let again = printed(&kitchen.run("send stripe invoice.paid").await);
    assert!(again.contains("duplicate"), "{again}");
    let other = printed(
        &kitchen
            .send("send stripe payment_intent.succeeded", &[])
            .await,
    );
    assert!(other.contains("dropped"), "{other}");
    let forged = kitchen
        .send("send stripe invoice.paid", &["--tamper"])
        .await;
    assert!(!forged.status.success());
    assert!(billing.is_quiet());
}

#[tokio::test]
async fn a_push_to_main_starts_a_pipeline_and_other_events_do_not() {
    let mut ci = Upstream::ok().await;
    let env = [
        ("GITHUB_WEBHOOK_SECRET", SECRET.into()),
        ("CI_URL", format!("{}/api", ci.url())),
    ];
    let kitchen = Kitchen::open("push-to-ci", &env).await;

    printed(&kitchen.run("send github push").await);
    let pipeline = ci.next().await;
    assert_eq!(pipeline.target, "/api/pipelines/billing");
    let body = json!({
        "ref": "refs/heads/main", "commit": "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c",
        "variables": { "TRIGGERED_BY": "mira-lindqvist" },
    });
    assert_eq!(parsed(&pipeline.body), body);
    assert_eq!(
        pipeline.field("idempotency-key"),
        pipeline.field("x-github-delivery")
    );

    for event in ["pull_request", "star"] {
        let told = printed(&kitchen.send(&format!("send github {event}"), &[]).await);
        assert!(told.contains("dropped"), "{told}");
    }
    assert!(ci.is_quiet());
}

#[tokio::test]
async fn a_social_provider_is_greeted_and_its_messages_arrive() {
    let mut assistant = Upstream::ok().await;
    let url = format!("{}/messages", assistant.url());
    let env = [
        ("SLACK_SIGNING_SECRET", SECRET.into()),
        ("ASSISTANT_URL", url),
    ];
    let kitchen = Kitchen::open("social-messages", &env).await;

    let greeted = printed(&kitchen.run("send slack url_verification").await);
    let sample = include_str!("../../src/preset/samples/slack.url_verification.json");
    let challenge = parsed(sample.as_bytes())["challenge"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(greeted.contains(&challenge), "{greeted}");
    assert!(assistant.is_quiet());

    printed(&kitchen.run("send slack message").await);
    let message = assistant.next().await;
    assert_eq!(parsed(&message.body)["event"]["type"], "message");
    let forged = kitchen.send("send slack message", &["--tamper"]).await;
    assert!(!forged.status.success());
    assert!(assistant.is_quiet());
}

#[tokio::test]
async fn an_order_reaches_the_orders_and_the_stock() {
    let (mut orders, mut stock) = (Upstream::ok().await, Upstream::ok().await);
    let env = [
        ("SHOPIFY_CLIENT_SECRET", SECRET.into()),
        ("ORDERS_URL", format!("{}/orders", orders.url())),
        ("STOCK_URL", format!("{}/stock", stock.url())),
    ];
    let kitchen = Kitchen::open("shop-orders-and-stock", &env).await;

    printed(&kitchen.run("send shopify orders/create").await);
    let (order, change) = (orders.next().await, stock.next().await);
    assert_eq!(
        (order.target.as_str(), change.target.as_str()),
        ("/orders", "/stock")
    );
    assert_eq!(order.body, change.body);
    assert_eq!(parsed(&order.body)["name"], "#10042");
    assert_eq!(order.field("x-order-is-test"), Some("true"));
    let forged = kitchen
        .send("send shopify orders/create", &["--tamper"])
        .await;
    assert!(!forged.status.success());
    assert!(orders.is_quiet() && stock.is_quiet());
}

#[tokio::test]
async fn a_contact_becomes_a_ticket() {
    let mut crm = Upstream::ok().await;
    let env = [
        ("CONTACTS_SECRET", STANDARD.into()),
        ("CRM_URL", format!("{}/api/v2", crm.url())),
    ];
    let kitchen = Kitchen::open("contact-to-crm", &env).await;

    printed(&kitchen.run("send standard-webhooks contact.created").await);
    let ticket = crm.next().await;
    assert_eq!(ticket.target, "/api/v2/tickets");
    assert_eq!(
        parsed(&ticket.body),
        json!({
            "subject": "New contact: Ingrid Åkerlund",
            "requester": { "name": "Ingrid Åkerlund", "email": "ingrid@example.com" },
            "tags": ["newsletter", "workshop"],
            "external_id": "1f81eb52-5198-4599-803e-771906343485",
        })
    );
    assert_eq!(ticket.field("idempotency-key"), ticket.field("webhook-id"));
    let forged = kitchen
        .send("send standard-webhooks contact.created", &["--tamper"])
        .await;
    assert!(!forged.status.success());
    assert!(crm.is_quiet());
}

#[tokio::test]
async fn an_alert_that_pages_becomes_a_line_in_the_chat() {
    let mut chat = Upstream::ok().await;
    let url = format!("{}/hooks/ops", chat.url());
    let env = [("PAGERDUTY_SECRET", SECRET.into()), ("CHAT_URL", url)];
    let kitchen = Kitchen::open("alert-to-chat", &env).await;

    printed(&kitchen.run("send pagerduty incident.triggered").await);
    let line = chat.next().await;
    assert_eq!(line.target, "/hooks/ops");
    let text = "[triggered] billing: db-1 has 2 % of its disk left \
        (https://harbour.pagerduty.com/incidents/PGR0VU2)";
    assert_eq!(parsed(&line.body), json!({ "text": text }));

    let quiet = kitchen
        .send("send pagerduty incident.acknowledged", &[])
        .await;
    assert!(printed(&quiet).contains("dropped"), "{quiet:?}");
    let forged = kitchen
        .send("send pagerduty incident.triggered", &["--tamper"])
        .await;
    assert!(!forged.status.success());
    assert!(chat.is_quiet());
}

#[tokio::test]
async fn the_collector_gets_a_copy_as_a_cloudevent() {
    let (mut app, mut collector) = (Upstream::ok().await, Upstream::ok().await);
    let env = [
        ("GITHUB_WEBHOOK_SECRET", SECRET.into()),
        ("APP_URL", format!("{}/github", app.url())),
        ("COLLECTOR_URL", format!("{}/events", collector.url())),
    ];
    let kitchen = Kitchen::open("events-to-analytics", &env).await;

    for (event, subject) in [("push", Some("refs/heads/main")), ("pull_request", None)] {
        printed(&kitchen.run(&format!("send github {event}")).await);
        let (original, copy) = (app.next().await, collector.next().await);
        assert_eq!(original.body, copy.body);
        assert_eq!(copy.field("ce-type"), Some(&*format!("com.github.{event}")));
        assert_eq!(
            copy.field("ce-source"),
            Some("https://github.com/harbour-tools/billing")
        );
        assert_eq!(copy.field("ce-id"), copy.field("x-github-delivery"));
        assert_eq!(copy.field("ce-subject"), subject);
        assert_eq!(copy.field("ce-actor"), Some("mira-lindqvist"));
    }
    let forged = kitchen.send("send github push", &["--tamper"]).await;
    assert!(!forged.status.success());
    assert!(app.is_quiet() && collector.is_quiet());
}

#[tokio::test]
async fn a_batch_is_synchronised_change_by_change() {
    let mut sync = Upstream::ok().await;
    let url = format!("{}/changes", sync.url());
    let env = [("OKTA_HOOK_SECRET", SECRET.into()), ("SYNC_URL", url)];
    let kitchen = Kitchen::open("batch-to-sync", &env).await;

    printed(&kitchen.run("send okta user.lifecycle.create").await);
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let change = sync.next().await;
        let body = parsed(&change.body);
        assert_eq!(body["uuid"], change.field("idempotency-key").unwrap());
        kinds.push(body["eventType"].as_str().unwrap().to_owned());
    }
    kinds.sort();
    assert_eq!(
        kinds,
        ["group.user_membership.add", "user.lifecycle.create"]
    );

    // The same again with one change more.
    let sample = include_str!("../../src/preset/samples/okta.user.lifecycle.create.json");
    let mut longer = parsed(sample.as_bytes());
    let changes = longer.pointer_mut("/data/events").unwrap();
    let third = json!({ "uuid": "c-3" });
    changes.as_array_mut().unwrap().push(third.clone());
    let call =
        |secret: &str| Call::post("/changes", longer.to_string()).field("authorization", secret);
    let address = kitchen.gate.address;
    assert_eq!(call(SECRET).send(address).await.status, 200);
    assert_eq!(parsed(&sync.next().await.body), third);
    assert_eq!(call("another").send(address).await.status, 401);
    assert!(sync.is_quiet());
}

#[test]
fn every_recipe_is_in_the_list_of_the_readme_and_in_these_tests() {
    let here = include_str!("recipes.rs");
    let readme = include_str!("../../README.md");
    for entry in fs::read_dir(recipes()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let name = file.strip_suffix(".toml").unwrap();
        assert!(here.contains(&format!("open(\"{name}\"")), "{name}");
        assert!(readme.contains(&format!("(recipes/{file})")), "{file}");
    }
}
