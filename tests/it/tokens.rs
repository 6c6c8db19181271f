//! Senders who come with a signed token: Plaid, Netlify, Google's pushes, and those who pretend.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Call, Gate, Upstream, check, folder, hex, hook, mac};

const SECRET: &str = "It's a Secret to Everybody";

/// A provider's key pair on P-256, with the public half as providers publish it.
pub(crate) struct Provider(EcdsaKeyPair);

impl Provider {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn jwk(&self) -> String {
        let point = self.0.public_key().as_ref();
        let part = |range| URL_SAFE_NO_PAD.encode(&point[range]);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "x": part(1..33), "y": part(33..65) })
            .to_string()
    }

    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let signature = self
            .0
            .sign(&SystemRandom::new(), signed.as_bytes())
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn hs256(header: &Value, claims: &Value, key: &str) -> String {
    let signed = unsigned(header, claims);
    let tag = mac(key.as_bytes(), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn sha256(body: &str) -> String {
    hex(digest::digest(&digest::SHA256, body.as_bytes()).as_ref())
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

/// Keys are in the files `a.jwk` and `b.jwk` and in the variable `SECRET`.
async fn gate(upstream: &Upstream, keys: [&Provider; 2], with: &str) -> Gate {
    let folder = folder();
    for (name, key) in ["a", "b"].into_iter().zip(keys) {
        std::fs::write(folder.path().join(format!("{name}.jwk")), key.jwk()).unwrap();
    }
    let step = format!("[[routes.hook.plugins]]\nuse = \"jwt\"\nwith = {{ {with} }}\n");
    let toml = hook(upstream).replace("public = true\n", "") + &step;
    Gate::start_in(folder, &toml, &[("SECRET", SECRET)]).await
}

/// plaid.com/docs/api/webhooks/webhook-verification: ES256, the key by its `kid`, five minutes, and the
/// digest of the body, whose JSON has an indent of two.
#[tokio::test]
async fn plaid_is_believed_by_its_token_and_the_digest_of_the_body() {
    let mut upstream = Upstream::ok().await;
    let (old, new, stranger) = (Provider::new(), Provider::new(), Provider::new());
    let with = "header = \"Plaid-Verification\", algorithm = \"ES256\", max_age = \"5m\", \
        tolerance = \"5s\", body = { claim = \"request_body_sha256\" }, \
        keys = { bfbd5111-8e33 = { file = \"a.jwk\" }, 6c5516e1-92dc = { file = \"b.jwk\" } }";
    let mut gate = gate(&upstream, [&old, &new], with).await;
    let body = "{\n  \"webhook_code\": \"DEFAULT_UPDATE\"\n}";
    let head = |kid: &str| json!({ "alg": "ES256", "kid": kid, "typ": "JWT" });
    let claims =
        |age: i64, body: &str| json!({ "iat": now() - age, "request_body_sha256": sha256(body) });
    let send = async |token: &str, body: &str| {
        let call = Call::post("/hook", body).field("plaid-verification", token);
        call.send(gate.address).await.status
    };
    let right = old.token(&head("bfbd5111-8e33"), &claims(10, body));

    assert_eq!(send(&right, body).await, 200);
    assert_eq!(upstream.next().await.text(), body);
    let rotated = new.token(&head("6c5516e1-92dc"), &claims(0, body));
    assert_eq!(send(&rotated, body).await, 200);
    upstream.next().await;

    let compact = "{\"webhook_code\":\"DEFAULT_UPDATE\"}";
    assert_eq!(send(&right, compact).await, 401, "another body");
    let (signed, signature) = right.rsplit_once('.').unwrap();
    let payload = unsigned(&head("bfbd5111-8e33"), &claims(0, compact));
    for (case, token) in [
        ("of a key by another's name", old.token(&head("6c5516e1-92dc"), &claims(0, body))),
        ("of a key that nobody knows", stranger.token(&head("bfbd5111-8e33"), &claims(0, body))),
        ("by a name that nobody knows", old.token(&head("unknown"), &claims(0, body))),
        ("without a name", old.token(&json!({ "alg": "ES256" }), &claims(0, body))),
        ("too old", old.token(&head("bfbd5111-8e33"), &claims(306, body))),
        ("from the future", old.token(&head("bfbd5111-8e33"), &claims(-60, body))),
        ("without its time", old.token(&head("bfbd5111-8e33"), &json!({ "request_body_sha256": sha256(body) }))),
        ("without the digest", old.token(&head("bfbd5111-8e33"), &json!({ "iat": now() }))),
        ("with other claims", format!("{payload}.{signature}")),
        ("with its signature cut short", right[..right.len() - 4].to_owned()),
        ("without its signature", format!("{signed}.")),
        ("of no algorithm", format!("{}.", unsigned(&json!({ "alg": "none", "kid": "bfbd5111-8e33" }), &claims(0, body)))),
        (
            "that takes the public key for a secret",
            hs256(&json!({ "alg": "HS256", "kid": "bfbd5111-8e33" }), &claims(0, body), &old.jwk()),
        ),
        (
            "with a key of its own",
            stranger.token(
                &json!({ "alg": "ES256", "jwk": serde_json::from_str::<Value>(&stranger.jwk()).unwrap() }),
                &claims(0, body),
            ),
        ),
        (
            "with a critical extension",
            old.token(&json!({ "alg": "ES256", "kid": "bfbd5111-8e33", "crit": ["exp"] }), &claims(0, body)),
        ),
        ("that is none", "a.b.c".to_owned()),
    ] {
        assert_eq!(send(&token, body).await, 401, "{case}");
    }

    assert!(upstream.is_quiet());
    gate.wait_for_log(|line| {
        line["reason"] == "the token says `HS256`, and only `ES256` is believed"
    })
    .await;
    gate.wait_for_log(|line| line["reason"] == "the token is about another body")
        .await;
}

/// docs.netlify.com, "Deploy notifications", "Payload signature": HS256, `iss` and `sha256`.
#[tokio::test]
async fn netlify_is_believed_by_its_issuer_and_the_digest_of_the_body() {
    let mut upstream = Upstream::ok().await;
    let other = Provider::new();
    let with = "header = \"X-Webhook-Signature\", algorithm = \"HS256\", keys = { env = \"SECRET\" }, \
        issuer = \"netlify\", body = { claim = \"sha256\" }";
    let gate = gate(&upstream, [&other, &other], with).await;
    let head = json!({ "alg": "HS256", "typ": "JWT" });
    let send = async |key: &str, issuer: &str, digest: String| {
        let token = hs256(&head, &json!({ "iss": issuer, "sha256": digest }), key);
        let call = Call::post("/hook", "{}").field("x-webhook-signature", &token);
        call.send(gate.address).await.status
    };

    assert_eq!(send(SECRET, "netlify", sha256("{}")).await, 200);
    upstream.next().await;
    assert_eq!(send("another", "netlify", sha256("{}")).await, 401);
    assert_eq!(send(SECRET, "netlify.com", sha256("{}")).await, 401);
    assert_eq!(send(SECRET, "netlify", sha256("{ }")).await, 401);
    assert_eq!(
        send(SECRET, "netlify", sha256("{}").to_uppercase()).await,
        401
    );
    assert!(upstream.is_quiet());
}

/// docs.cloud.google.com/pubsub/docs/authenticate-push-subscriptions: a bearer token for an audience, of
/// an issuer, for a service account. Theirs is RS256; the claims are what matters here.
#[tokio::test]
async fn a_push_with_a_bearer_token_is_for_us_and_of_the_right_account() {
    let mut upstream = Upstream::ok().await;
    let provider = Provider::new();
    let with = "header = \"Authorization\", prefix = \"Bearer \", algorithm = \"ES256\", \
        keys = [{ file = \"a.jwk\" }], issuer = [\"accounts.google.com\", \"https://accounts.google.com\"], \
        audience = \"https://hooks.example.com/push\", \
        claims = { email = [\"push@project.iam.gserviceaccount.com\"], email_verified = [true] }";
    let gate = gate(&upstream, [&provider, &provider], with).await;
    let right = json!({
        "aud": "https://hooks.example.com/push", "azp": "113774264463038321964",
        "email": "push@project.iam.gserviceaccount.com", "email_verified": true,
        "exp": now() + 3_600, "iat": now(), "iss": "https://accounts.google.com", "sub": "1",
    });
    let send = async |claims: &Value, scheme: &str| {
        let token = provider.token(&json!({ "alg": "ES256", "kid": "any" }), claims);
        let call = Call::post("/hook", "{}").field("authorization", &format!("{scheme}{token}"));
        call.send(gate.address).await.status
    };

    assert_eq!(send(&right, "Bearer ").await, 200);
    assert_eq!(send(&right, "bearer ").await, 200);
    upstream.next().await;
    upstream.next().await;
    assert_eq!(send(&right, "").await, 401);
    for (claim, value) in [
        ("aud", json!("https://hooks.example.com/other")),
        ("aud", Value::Null),
        ("iss", json!("https://accounts.example.com")),
        ("email", json!("push@another.iam.gserviceaccount.com")),
        ("email_verified", json!(false)),
        ("exp", json!(now() - 61)),
        ("nbf", json!(now() + 120)),
    ] {
        let mut claims = right.clone();
        claims[claim] = value.clone();
        assert_eq!(send(&claims, "Bearer ").await, 401, "{claim} {value}");
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_key_that_does_not_fit_the_algorithm_is_told_before_anything_is_served() {
    let folder = folder();
    std::fs::write(folder.path().join("a.jwk"), Provider::new().jwk()).unwrap();
    let toml = |algorithm: &str| {
        let route = "[upstreams.app]\nurl = \"http://127.0.0.1:1\"\n[routes.hook]\npath = \"/hook\"\n\
            forward = \"app\"\nplugins = [{ use = \"jwt\", with = { header = \"x\", ";
        format!(
            "{route}algorithm = \"{algorithm}\", keys = {{ k1 = {{ file = \"a.jwk\" }} }} }} }}]\n"
        )
    };

    let (code, said) = check(&folder, &toml("ES256")).await;
    assert_eq!(code, 0, "{said}");
    for (algorithm, needs) in [
        (
            "RS256",
            "an RSA public key of 2048 to 8192 bits as PEM or JWK",
        ),
        ("HS256", "a shared secret, as text or JWK"),
    ] {
        let (code, said) = check(&folder, &toml(algorithm)).await;
        assert_eq!(code, 78, "{said}");
        let sentence = format!("plugin `jwt`: does not fit `{algorithm}`, which needs {needs}");
        assert!(said.contains(&sentence), "{said}");
        assert!(said.contains("{ file = \"a.jwk\" }"), "{said}");
    }
}
