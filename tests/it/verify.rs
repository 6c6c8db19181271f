//! Signatures: each provider's scheme, right and nearly right.

use jiff::Timestamp;

use crate::support::{Call, Gate, Upstream, base64, folder, github, hex, hook, mac};

const SECRET: &str = "It's a Secret to Everybody";
const OLD: &str = "the one before it";
/// Standard Webhooks: the base64 of `OLD_KEY` and `NEW_KEY`.
const OLD_KEY: &[u8] = b"twenty-four bytes of old";
const NEW_KEY: &[u8] = b"twenty-four bytes of new";

/// A gate whose route checks with `with`; the keys' names are `NEW`, `OLD`, `STANDARD_NEW` and
/// `STANDARD_OLD`. Without a contract of the preset's, so that a 200 is the upstream's.
async fn gate(upstream: &Upstream, with: &str) -> Gate {
    let step = format!("[[routes.hook.plugins]]\nuse = \"signature\"\nwith = {{ {with} }}\n");
    let route = hook(upstream).replace("public = true", "ack = \"upstream\"");
    let standard = |key| format!("whsec_{}", base64(key));
    let env = [
        ("NEW", SECRET),
        ("OLD", OLD),
        ("STANDARD_NEW", &*standard(NEW_KEY)),
        ("STANDARD_OLD", &*standard(OLD_KEY)),
    ];
    Gate::start_in(folder(), &(route + &step), &env).await
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

/// Everything in the log and the metrics.
async fn told(gate: &Gate) -> String {
    gate.metrics().await + &gate.log().join("\n")
}

#[tokio::test]
async fn github_is_believed_with_the_right_signature_only() {
    let mut upstream = Upstream::ok().await;
    let mut gate = gate(&upstream, "preset = \"github\", keys = [{ env = \"NEW\" }]").await;
    let right = github("/hook", "push", SECRET, "{\"a\":1}");
    let mut tampered = right.clone();
    tampered.body[1] ^= 1;
    let mut unsigned = right.clone();
    unsigned
        .fields
        .retain(|(name, _)| name != "x-hub-signature-256");
    let header = |value: &str| unsigned.clone().field("x-hub-signature-256", value);
    let digest = hex(&mac(SECRET.as_bytes(), b"{\"a\":1}"));

    assert_eq!(right.send(gate.address).await.status, 200);
    assert_eq!(upstream.next().await.text(), "{\"a\":1}");
    for (case, call) in [
        ("tampered", tampered),
        ("unsigned", unsigned.clone()),
        (
            "of another secret",
            github("/hook", "push", OLD, "{\"a\":1}"),
        ),
        ("without its prefix", header(&digest)),
        ("of another algorithm", header(&format!("sha1={digest}"))),
        ("cut short", header(&format!("sha256={}", &digest[..32]))),
        ("no hex", header("sha256=zz")),
        ("empty", header("sha256=")),
        (
            "only the old header",
            unsigned.field("x-hub-signature", &format!("sha1={digest}")),
        ),
    ] {
        let answer = call.send(gate.address).await;
        assert_eq!(answer.status, 401, "{case}");
        assert_eq!(answer.json()["title"], "Unauthorized", "{case}");
    }

    assert!(upstream.is_quiet());
    let line = gate
        .wait_for_log(|line| line["msg"] == "webhook rejected")
        .await;
    assert_eq!(
        (&line["status"], &line["reason"]),
        (&401.into(), &"the signature does not match".into())
    );
    let rejected = "hookgate_webhooks_total{route=\"hook\",outcome=\"rejected\",class=\"4xx\"}";
    assert_eq!(gate.metric(rejected).await, 9.0);
}

#[tokio::test]
async fn an_empty_body_is_signed_like_any_other() {
    let mut upstream = Upstream::ok().await;
    let gate = gate(&upstream, "preset = \"github\", keys = [{ env = \"NEW\" }]").await;

    assert_eq!(
        github("/hook", "ping", SECRET, "")
            .send(gate.address)
            .await
            .status,
        200
    );
    assert_eq!(
        github("/hook", "ping", OLD, "")
            .send(gate.address)
            .await
            .status,
        401
    );

    assert_eq!(upstream.next().await.text(), "");
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn neither_secret_nor_signature_nor_body_is_ever_told() {
    let upstream = Upstream::ok().await;
    let gate = gate(
        &upstream,
        "preset = \"github\", keys = [{ env = \"NEW\" }, { env = \"OLD\" }]",
    )
    .await;
    let body = "{\"password\":\"hunter2\"}";
    for secret in [SECRET, OLD, "another"] {
        github("/hook?token=s3cr3t", "push", secret, body)
            .send(gate.address)
            .await;
    }

    let told = told(&gate).await + &gate.ask(&Call::get("/api/state")).await.text();

    assert!(told.contains("webhook delivered") && told.contains("webhook rejected"));
    for secret in [SECRET, OLD, "another"] {
        let signature = mac(secret.as_bytes(), body.as_bytes());
        assert!(!told.contains(&hex(&signature)) && !told.contains(&base64(&signature)));
    }
    for secret in [
        SECRET,
        OLD,
        &hex(SECRET.as_bytes()),
        &base64(SECRET.as_bytes()),
        "hunter2",
        "s3cr3t",
    ] {
        assert!(!told.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn every_active_key_is_tried_and_the_one_that_matched_is_counted() {
    let upstream = Upstream::ok().await;
    let mut gate = gate(
        &upstream,
        "preset = \"github\", keys = [{ env = \"NEW\" }, { env = \"OLD\" }]",
    )
    .await;
    let matched = |label: &str| {
        format!(
            "hookgate_keys_matched_total{{plugin=\"signature\",route=\"hook\",key=\"keys\",label=\"env:{label}\"}}"
        )
    };
    assert_eq!(gate.metric(&matched("OLD")).await, 0.0);

    for secret in [OLD, SECRET, OLD, "neither"] {
        github("/hook", "push", secret, "x")
            .send(gate.address)
            .await;
    }

    assert_eq!(gate.metric(&matched("NEW")).await, 1.0);
    assert_eq!(gate.metric(&matched("OLD")).await, 2.0);
    let line = gate.wait_for_log(|line| line["msg"] == "key matched").await;
    assert_eq!(line["label"], "env:OLD");
}

fn stripe(signature: &str) -> Call {
    Call::post("/hook", "{\"id\":1}").field("stripe-signature", signature)
}

/// What Stripe signs, with this secret at this time.
fn v1(secret: &str, at: i64) -> String {
    hex(&mac(
        secret.as_bytes(),
        format!("{at}.{{\"id\":1}}").as_bytes(),
    ))
}

#[tokio::test]
async fn stripe_is_believed_with_one_right_v1_of_a_fresh_time() {
    let mut upstream = Upstream::ok().await;
    let gate = gate(&upstream, "preset = \"stripe\", keys = [{ env = \"NEW\" }]").await;
    let (t, stale, future) = (now(), now() - 310, now() + 310);
    let (right, wrong) = (v1(SECRET, t), v1(OLD, t));

    for signature in [
        format!("t={t},v1={right}"),
        format!("t={t},v1={wrong},v1={right}"),
        format!("t={t},v1={right},v0={wrong}"),
        format!("t={},v1={}", t - 290, v1(SECRET, t - 290)),
        // Stripe's own libraries look at the past only.
        format!("t={future},v1={}", v1(SECRET, future)),
    ] {
        assert_eq!(
            stripe(&signature).send(gate.address).await.status,
            200,
            "{signature}"
        );
        upstream.next().await;
    }
    for signature in [
        format!("t={t},v1={wrong}"),
        format!("t={t},v0={right}"),
        format!("t={},v1={right}", t - 1),
        format!("t={stale},v1={}", v1(SECRET, stale)),
        format!("v1={right}"),
        format!("t={t}"),
        format!("t={t},t={stale},v1={right}"),
        format!("t=soon,v1={right}"),
        String::new(),
    ] {
        assert_eq!(
            stripe(&signature).send(gate.address).await.status,
            401,
            "{signature}"
        );
    }
    assert!(upstream.is_quiet());
}

fn slack(secret: &str, at: i64, body: &str) -> Call {
    let signature = hex(&mac(
        secret.as_bytes(),
        format!("v0:{at}:{body}").as_bytes(),
    ));
    Call::post("/hook", body)
        .field("x-slack-request-timestamp", &at.to_string())
        .field("x-slack-signature", &format!("v0={signature}"))
}

#[tokio::test]
async fn the_handshake_of_slack_is_answered_only_when_it_is_signed() {
    let mut upstream = Upstream::ok().await;
    let gate = gate(&upstream, "preset = \"slack\", keys = [{ env = \"NEW\" }]").await;
    let handshake = r#"{"type":"url_verification","challenge":"3eZbrw1aB"}"#;
    let event = r#"{"type":"event_callback","event":{"type":"message"}}"#;

    let answer = slack(SECRET, now(), handshake).send(gate.address).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "3eZbrw1aB"));
    assert_eq!(answer.field("content-type"), Some("text/plain"));
    let forged = slack(OLD, now(), handshake).send(gate.address).await;
    assert_eq!(forged.status, 401);
    assert!(!forged.text().contains("3eZbrw1aB"));
    assert!(upstream.is_quiet());

    assert_eq!(
        slack(SECRET, now(), event).send(gate.address).await.status,
        200
    );
    assert_eq!(upstream.next().await.text(), event);
    for at in [now() - 310, now() + 310] {
        assert_eq!(
            slack(SECRET, at, event).send(gate.address).await.status,
            401
        );
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn shopify_is_believed_with_the_base64_of_its_signature() {
    let mut upstream = Upstream::ok().await;
    let gate = gate(
        &upstream,
        "preset = \"shopify\", keys = [{ env = \"NEW\" }]",
    )
    .await;
    let signed = |value: &str| Call::post("/hook", "{}").field("x-shopify-hmac-sha256", value);
    let signature = mac(SECRET.as_bytes(), b"{}");

    assert_eq!(
        signed(&base64(&signature)).send(gate.address).await.status,
        200
    );
    for wrong in [
        hex(&signature),
        base64(&signature[..31]),
        base64(&mac(OLD.as_bytes(), b"{}")),
    ] {
        assert_eq!(
            signed(&wrong).send(gate.address).await.status,
            401,
            "{wrong}"
        );
    }
    upstream.next().await;
    assert!(upstream.is_quiet());
}

fn standard(at: i64, signatures: &str) -> Call {
    Call::post("/hook", "{}")
        .field("webhook-id", "msg_1")
        .field("webhook-timestamp", &at.to_string())
        .field("webhook-signature", signatures)
}

#[tokio::test]
async fn standard_webhooks_are_believed_with_one_right_signature_by_a_decoded_key() {
    let mut upstream = Upstream::ok().await;
    let keys = "keys = [{ env = \"STANDARD_NEW\" }, { env = \"STANDARD_OLD\" }]";
    let gate = gate(
        &upstream,
        &format!("preset = \"standard-webhooks\", {keys}"),
    )
    .await;
    let t = now();
    let v1 = |key: &[u8], at| {
        format!(
            "v1,{}",
            base64(&mac(key, format!("msg_1.{at}.{{}}").as_bytes()))
        )
    };
    let (new, old, wrong) = (v1(NEW_KEY, t), v1(OLD_KEY, t), v1(b"another", t));
    let undecoded = v1(format!("whsec_{}", base64(NEW_KEY)).as_bytes(), t);

    for signatures in [
        new.clone(),
        old.clone(),
        format!("{wrong} {old}"),
        format!("v1a,AAAA {new}"),
    ] {
        assert_eq!(
            standard(t, &signatures).send(gate.address).await.status,
            200,
            "{signatures}"
        );
        upstream.next().await;
    }
    for (at, signatures) in [
        (t, wrong),
        (t, undecoded),
        (t, new.replace("v1,", "v2,")),
        (t, new.replace("v1,", "")),
        (t + 1, new.clone()),
        (t - 310, v1(NEW_KEY, t - 310)),
        (t + 310, v1(NEW_KEY, t + 310)),
    ] {
        assert_eq!(
            standard(at, &signatures).send(gate.address).await.status,
            401,
            "{signatures}"
        );
    }
    let renamed = Call::post("/hook", "{}")
        .field("webhook-id", "msg_2")
        .field("webhook-timestamp", &t.to_string())
        .field("webhook-signature", &new);
    assert_eq!(renamed.send(gate.address).await.status, 401);
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_scheme_of_ones_own_is_described_by_its_template() {
    let mut upstream = Upstream::ok().await;
    let scheme = r#"algorithm = "hmac-sha256", encoding = "base64url", keys = { env = "NEW" },
        signature = { header = "x-sig", prefix = "mac=" },
        timestamp = { header = "x-time", unit = "ms", tolerance = "10s" },
        signed = "{method} {path}?{query:id} {header:x-tenant}\n{timestamp}\n{body}""#;
    let gate = gate(&upstream, &scheme.replace("\n        ", " ")).await;
    let signed = |target: &str, tenant: &str, body: &str, at: i64| {
        let message = format!("POST /hook?7 a\n{at}\nbody");
        let signature = base64(&mac(SECRET.as_bytes(), message.as_bytes()))
            .replace('+', "-")
            .replace('/', "_");
        Call::post(target, body)
            .field("x-tenant", tenant)
            .field("x-time", &at.to_string())
            .field("x-sig", &format!("mac={}", signature.trim_end_matches('=')))
    };
    let t = Timestamp::now().as_millisecond();

    assert_eq!(
        signed("/hook?id=7", "a", "body", t)
            .send(gate.address)
            .await
            .status,
        200
    );
    for (case, call) in [
        ("another query", signed("/hook?id=8", "a", "body", t)),
        ("no query", signed("/hook", "a", "body", t)),
        ("another header", signed("/hook?id=7", "b", "body", t)),
        ("another body", signed("/hook?id=7", "a", "bodY", t)),
        ("stale", signed("/hook?id=7", "a", "body", t - 11_000)),
    ] {
        assert_eq!(call.send(gate.address).await.status, 401, "{case}");
    }
    upstream.next().await;
    assert!(upstream.is_quiet());
}
