//! Keys that their owner publishes: fetched when the gate starts, kept for the next start, and fetched
//! anew when they are wanted.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Act, Authority, Call, Gate, Received, Upstream, check, folder, hook};
use crate::tokens::Provider;

/// Publishes what it is told to, over TLS.
struct Owner {
    server: Upstream,
    says: Arc<Mutex<Act>>,
    folder: Arc<TempDir>,
}

impl Owner {
    async fn new(says: Act) -> Self {
        let (authority, folder) = (Authority::new(), folder());
        std::fs::write(folder.path().join("owner.crt"), authority.pem()).unwrap();
        let says = Arc::new(Mutex::new(says));
        let told = Arc::clone(&says);
        let act = move |_: &Received| told.lock().unwrap().clone();
        Self {
            server: Upstream::start_tls(&authority, act).await,
            says,
            folder,
        }
    }

    fn says(&self, act: Act) {
        *self.says.lock().unwrap() = act;
    }

    fn url(&self) -> String {
        format!("https://{}/keys?a=b", self.server.address)
    }

    /// A route whose tokens are of this owner's keys.
    fn route(&self, upstream: &Upstream) -> String {
        self.route_with(upstream, "ca = \"owner.crt\", private = true")
    }

    fn route_with(&self, upstream: &Upstream, more: &str) -> String {
        let url = self.url();
        let more = if more.is_empty() {
            String::new()
        } else {
            format!(", {more}")
        };
        hook(upstream).replace("public = true\n", "")
            + &format!(
                "[[routes.hook.plugins]]\nuse = \"jwt\"\nwith = {{ header = \"x-token\", algorithm = \"ES256\", \
                 keys = {{ jwks = \"{url}\"{more} }} }}\n"
            )
    }

    async fn gate(&self, upstream: &Upstream) -> Gate {
        Gate::start_in(Arc::clone(&self.folder), &self.route(upstream), &[]).await
    }
}

fn set(of: &[&Provider]) -> Act {
    let jwk = |key: &&Provider| serde_json::from_str::<Value>(&key.jwk()).unwrap();
    let keys: Vec<Value> = of.iter().map(jwk).collect();
    Act::Answer(200, Vec::new(), json!({ "keys": keys }).to_string())
}

async fn send(gate: &Gate, key: &Provider) -> u16 {
    let token = key.token(&json!({ "alg": "ES256" }), &json!({ "sub": "me" }));
    let call = Call::post("/hook", "{}").field("x-token", &token);
    call.send(gate.address).await.status
}

#[tokio::test]
async fn a_token_is_believed_by_the_keys_that_its_owner_publishes() {
    let mut upstream = Upstream::ok().await;
    let (one, two, stranger) = (Provider::new(), Provider::new(), Provider::new());
    let mut owner = Owner::new(set(&[&one, &two])).await;

    let gate = owner.gate(&upstream).await;
    let asked = owner.server.next().await;

    assert_eq!((&*asked.method, &*asked.target), ("GET", "/keys?a=b"));
    assert_eq!(send(&gate, &one).await, 200);
    assert_eq!(send(&gate, &two).await, 200);
    upstream.next().await;
    upstream.next().await;
    // The keys are of this minute: what they do not match is forged.
    assert_eq!(send(&gate, &stranger).await, 401);
    assert!(upstream.is_quiet() && owner.server.is_quiet());
    let matched = format!(
        "hookgate_keys_matched_total{{plugin=\"jwt\",route=\"hook\",key=\"keys\",label=\"{}\"}}",
        owner.url()
    );
    assert_eq!(gate.metric(&matched).await, 2.0);
}

#[tokio::test]
async fn a_reload_keeps_the_keys_and_does_not_fetch_them_again() {
    let upstream = Upstream::ok().await;
    let key = Provider::new();
    let mut owner = Owner::new(set(&[&key])).await;
    let mut gate = owner.gate(&upstream).await;
    owner.server.next().await;

    owner.says(Act::Close);
    gate.apply(&(owner.route(&upstream) + "[log]\nlevel = \"debug\"\n"))
        .await;

    assert_eq!(send(&gate, &key).await, 200);
    assert!(owner.server.is_quiet());
}

#[tokio::test]
async fn without_its_owner_a_start_goes_on_with_the_keys_of_the_last_one() {
    let upstream = Upstream::ok().await;
    let (old, new) = (Provider::new(), Provider::new());
    let owner = Owner::new(set(&[&old])).await;
    let (code, said) = check(&owner.folder, &owner.route(&upstream)).await;
    assert_eq!((code, &*said), (0, ""));

    owner.says(Act::status(503));
    let mut gate = owner.gate(&upstream).await;

    let warned = gate
        .wait_for_log(|line| {
            line["level"] == "warn"
                && line
                    .to_string()
                    .contains("its keys are those of a moment ago")
        })
        .await;
    assert!(warned.to_string().contains("answers 503"), "{warned}");
    assert_eq!(send(&gate, &old).await, 200);
    // Who knows what was published since: it is told to come again, and not that it is a forgery.
    assert_eq!(send(&gate, &new).await, 503);
    gate.wait_for_log(|line| line["msg"] == "keys not fetched, the old ones stay")
        .await;
    assert_eq!(send(&gate, &old).await, 200);

    owner.says(set(&[&new]));
    gate.wait_for_metric("hookgate_key_fetches_total{result=\"fetched\"}", 1.0)
        .await;
    assert_eq!(send(&gate, &new).await, 200);
    assert_eq!(send(&gate, &old).await, 401);
    assert!(
        gate.metric("hookgate_key_fetches_total{result=\"failed\"}")
            .await
            >= 1.0
    );
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_told_before_anything_is_served() {
    let upstream = Upstream::ok().await;
    let key = Provider::new();
    let owner = Owner::new(set(&[&key])).await;
    let answer = |status, body: &str| Act::Answer(status, Vec::new(), body.to_owned());
    let trusted = "ca = \"owner.crt\", private = true";
    let elsewhere = vec![("location", owner.url())];
    for (says, with, why) in [
        (
            answer(200, "<html>"),
            trusted,
            "is no JWK set (RFC 7517, section 5)",
        ),
        (
            answer(200, r#"{"keys":[]}"#),
            trusted,
            "has no public key that we can use",
        ),
        (answer(404, ""), trusted, "answers 404"),
        (
            Act::Answer(302, elsewhere, String::new()),
            trusted,
            "answers 302: redirects are not followed",
        ),
        (
            answer(200, &"x".repeat(300 << 10)),
            trusted,
            "answers more than 256 KiB",
        ),
        (Act::Close, trusted, "does not answer"),
        (
            set(&[&key]),
            "ca = \"owner.crt\"",
            "is an address of a private network",
        ),
        (set(&[&key]), "private = true", "does not answer"),
    ] {
        owner.says(says);
        let (code, said) = check(&owner.folder, &owner.route_with(&upstream, with)).await;
        assert_eq!(code, 78, "{said}");
        let sentence = format!("error: `{}`", owner.url());
        assert!(
            said.contains(&sentence) && said.contains(why),
            "{why}: {said}"
        );
    }

    owner.says(set(&[&key]));
    let (code, said) = check(&owner.folder, &owner.route(&upstream)).await;
    assert_eq!((code, &*said), (0, ""));
}

#[tokio::test]
async fn keys_that_do_not_fit_are_told_at_their_place() {
    let upstream = Upstream::ok().await;
    let owner = Owner::new(set(&[&Provider::new()])).await;
    let toml = owner.route(&upstream).replace("ES256", "RS256");

    let (code, said) = check(&owner.folder, &toml).await;

    assert_eq!(code, 78, "{said}");
    let sentence = "plugin `jwt`: does not fit `RS256`, which needs an RSA public key";
    assert!(said.contains(sentence), "{said}");
}
