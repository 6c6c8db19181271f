//! Handshakes: calls that ask whether somebody is there who knows the secret. Each is answered here, as
//! its provider wants it, and not a call more.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use jiff::Timestamp;

use crate::support::{Answer, Call, Gate, Upstream, base64, folder, hex, hook, mac};

const SECRET: &str = "the shared secret";
const TOKEN: &str = "the token of the handshake";

async fn gate(upstream: &Upstream, with: &str, env: &[(&str, &str)]) -> Gate {
    let step = format!(
        "[[routes.hook.plugins]]\nuse = \"signature\"\nwith = {{ {with}, keys = [{{ env = \"KEY\" }}] }}\n"
    );
    let route = hook(upstream).replace(
        "public = true",
        "ack = \"upstream\"\npublic_url = \"https://hooks.example.com/hook\"",
    );
    let env = [&[("KEY", SECRET), ("TOKEN", TOKEN)], env].concat();
    Gate::start_in(folder(), &(route + &step), &env).await
}

fn text(answer: &Answer) -> (u16, String) {
    (answer.status, answer.text())
}

fn plain(answer: &Answer) {
    assert_eq!(answer.field("content-type"), Some("text/plain"));
    // What is echoed was written by a stranger, and no browser may take it for a page.
    assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
}

fn now() -> String {
    Timestamp::now().as_second().to_string()
}

fn sha256(text: &str) -> Vec<u8> {
    mac(SECRET.as_bytes(), text.as_bytes())
}

#[tokio::test]
async fn meta_gets_its_challenge_back_for_the_right_verify_token() {
    let mut upstream = Upstream::ok().await;
    let with = "preset = \"meta\", verify_token = { env = \"TOKEN\" }";
    let gate = gate(&upstream, with, &[]).await;
    let ask = |mode: &str, token: &str| {
        let token = token.replace(' ', "%20");
        Call::get(&format!(
            "/hook?hub.mode={mode}&hub.challenge=1158201444&hub.verify_token={token}"
        ))
    };

    let right = ask("subscribe", TOKEN).send(gate.address).await;
    assert_eq!(text(&right), (200, "1158201444".to_owned()));
    plain(&right);
    for (case, call) in [
        ("another token", ask("subscribe", "guess")),
        ("no token", ask("subscribe", "")),
        ("the app secret is not the token", ask("subscribe", SECRET)),
        ("another mode", ask("unsubscribe", TOKEN)),
        ("no query", Call::get("/hook")),
        ("a forged webhook", {
            let mut call = ask("subscribe", TOKEN);
            call.method = "POST".to_owned();
            call
        }),
    ] {
        let answer = call.send(gate.address).await;
        assert_eq!(answer.status, 401, "{case}");
        assert!(!answer.text().contains("1158201444"), "{case}");
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn zoom_gets_the_mac_of_its_token_when_the_call_is_signed() {
    let mut upstream = Upstream::ok().await;
    let gate = gate(&upstream, "preset = \"zoom\"", &[]).await;
    let ask = |body: &str, secret: &str| {
        let at = now();
        let signature = hex(&mac(
            secret.as_bytes(),
            format!("v0:{at}:{body}").as_bytes(),
        ));
        Call::post("/hook", body)
            .field("x-zm-request-timestamp", &at)
            .field("x-zm-signature", &format!("v0={signature}"))
    };
    let body = |token: &str| {
        format!(
            "{{\"payload\":{{\"plainToken\":\"{token}\"}},\"event_ts\":1654503849680,\"event\":\"endpoint.url_validation\"}}"
        )
    };
    // Zoom's own example of a token, from developers.zoom.us/docs/api/webhooks.
    let token = "qgg8vlvZRS6UYooatFL8Aw";

    let right = ask(&body(token), SECRET).send(gate.address).await;
    assert_eq!(right.status, 200);
    assert_eq!(right.field("content-type"), Some("application/json"));
    assert_eq!(
        right.json(),
        serde_json::json!({ "plainToken": token, "encryptedToken": hex(&sha256(token)) })
    );
    let forged = ask(&body(token), "guess").send(gate.address).await;
    assert_eq!(forged.status, 401);
    // What could be the signed message of a webhook is no token.
    let oracle = ask(&body("v0:1654503849:{}"), SECRET)
        .send(gate.address)
        .await;
    assert_eq!(oracle.status, 401);
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn x_gets_the_mac_of_its_crc_token_and_nobody_gets_a_signature() {
    let mut upstream = Upstream::ok().await;
    let mut gate = gate(&upstream, "preset = \"x\"", &[]).await;

    let right = Call::get("/hook?crc_token=MDQtMTY_4Nzk&nonce=1")
        .send(gate.address)
        .await;
    assert_eq!(right.status, 200);
    let response = format!("sha256={}", base64(&sha256("MDQtMTY_4Nzk")));
    assert_eq!(
        right.json(),
        serde_json::json!({ "response_token": response })
    );

    // The same key signs webhooks: whoever could have a MAC of any text could forge them.
    let forged = "%7B%22for_user_id%22%3A%221%22%7D";
    for target in [
        &format!("/hook?crc_token={forged}"),
        "/hook?crc_token=",
        "/hook",
    ] {
        let answer = Call::get(target).send(gate.address).await;
        assert_eq!(answer.status, 401, "{target}");
    }
    let line = gate
        .wait_for_log(|line| line["msg"] == "webhook rejected")
        .await;
    assert_eq!(
        line["reason"],
        "the handshake asks for a MAC of more than a token"
    );
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn dropbox_gets_its_challenge_back() {
    let mut upstream = Upstream::ok().await;
    let gate = gate(&upstream, "preset = \"dropbox\"", &[]).await;

    let right = Call::get("/hook?challenge=abc%3Cb%3E")
        .send(gate.address)
        .await;
    assert_eq!(text(&right), (200, "abc<b>".to_owned()));
    plain(&right);
    assert_eq!(Call::get("/hook").send(gate.address).await.status, 401);
    let posted = Call::post("/hook?challenge=abc", "{}")
        .send(gate.address)
        .await;
    assert_eq!(posted.status, 401);
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn microsoft_graph_gets_its_token_back_decoded_and_each_notification_shows_the_secret() {
    let mut upstream = Upstream::ok().await;
    let gate = gate(&upstream, "preset = \"microsoft-graph\"", &[]).await;

    let right = Call::post("/hook?validationToken=Validation%3A+Testing%20client", "")
        .send(gate.address)
        .await;
    assert_eq!(text(&right), (200, "Validation: Testing client".to_owned()));
    plain(&right);
    let wrong = Call::get("/hook?validationToken=x")
        .send(gate.address)
        .await;
    assert_eq!(wrong.status, 405, "it asks by POST");

    let batch = |states: &[&str]| {
        let items: Vec<_> = states
            .iter()
            .map(|state| format!("{{\"clientState\":\"{state}\",\"changeType\":\"created\"}}"))
            .collect();
        Call::post("/hook", format!("{{\"value\":[{}]}}", items.join(",")))
    };
    assert_eq!(
        batch(&[SECRET, SECRET]).send(gate.address).await.status,
        200
    );
    upstream.next().await;
    for call in [
        batch(&[SECRET, "guess"]),
        batch(&["guess", SECRET]),
        batch(&[""]),
        batch(&[]),
        Call::post("/hook", "{\"value\":{\"0\":{}}}"),
        Call::post("/hook", "{\"value\":[{}]}"),
        Call::post("/hook", ""),
    ] {
        let answer = call.send(gate.address).await;
        assert_eq!(
            answer.status,
            401,
            "{}",
            String::from_utf8_lossy(&call.body)
        );
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn okta_gets_its_challenge_back_as_json_whatever_it_holds() {
    let mut upstream = Upstream::ok().await;
    let gate = gate(&upstream, "preset = \"okta\"", &[]).await;
    let challenge = "a\"},{\"b\\";

    let right = Call::get("/hook")
        .field("x-okta-verification-challenge", challenge)
        .send(gate.address)
        .await;
    assert_eq!(right.status, 200);
    assert_eq!(
        right.json(),
        serde_json::json!({ "verification": challenge })
    );
    assert_eq!(Call::get("/hook").send(gate.address).await.status, 401);
    let posted = Call::post("/hook", "{}").field("x-okta-verification-challenge", "x");
    assert_eq!(posted.send(gate.address).await.status, 401);
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn discord_gets_its_pongs_only_for_right_signatures() {
    let mut upstream = Upstream::ok().await;
    let pair = Ed25519KeyPair::generate().unwrap();
    let key = hex(pair.public_key().as_ref());
    let gate = gate(&upstream, "preset = \"discord\"", &[("KEY", &key)]).await;
    let ask = |body: &str, covers: &str| {
        let at = now();
        let signature = hex(pair.sign(format!("{at}{covers}").as_bytes()).as_ref());
        Call::post("/hook", body)
            .field("x-signature-timestamp", &at)
            .field("x-signature-ed25519", &signature)
    };
    let ping = r#"{"type":1,"id":"787053080478613555","token":"A_UNIQUE_TOKEN","version":1}"#;
    let event_ping = r#"{"version":1,"application_id":"1234560123453231555","type":0}"#;
    let event =
        r#"{"version":1,"application_id":"1","type":1,"event":{"type":"ENTITLEMENT_CREATE"}}"#;

    let pong = ask(ping, ping).send(gate.address).await;
    assert_eq!(
        (pong.status, pong.json()),
        (200, serde_json::json!({ "type": 1 }))
    );
    let empty = ask(event_ping, event_ping).send(gate.address).await;
    assert_eq!(text(&empty), (204, String::new()));
    assert!(upstream.is_quiet());
    // Of webhook events type 1 is the event itself.
    assert_eq!(ask(event, event).send(gate.address).await.status, 200);
    assert_eq!(upstream.next().await.text(), event);

    // Discord sends wrong signatures on purpose, and wants 401.
    for body in [ping, event_ping, event] {
        assert_eq!(ask(body, "{}").send(gate.address).await.status, 401);
    }
    for length in [0, 2, 126, 130] {
        let mut call = ask(ping, ping);
        call.fields[1].1 = "0".repeat(length);
        assert_eq!(call.send(gate.address).await.status, 401, "{length} digits");
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn twitch_gets_its_challenge_back_when_the_call_is_signed() {
    let mut upstream = Upstream::ok().await;
    let gate = gate(&upstream, "preset = \"twitch\"", &[]).await;
    let ask = |secret: &str| {
        let (id, at) = (
            "e76c6bd4-55c9-4987-8304-da1588d8988b",
            Timestamp::now().to_string(),
        );
        let body = r#"{"challenge":"pogchamp-kappa-360noscope-vohiyo","subscription":{}}"#;
        let signature = hex(&mac(
            secret.as_bytes(),
            format!("{id}{at}{body}").as_bytes(),
        ));
        Call::post("/hook", body)
            .field("twitch-eventsub-message-id", id)
            .field("twitch-eventsub-message-timestamp", &at)
            .field(
                "twitch-eventsub-message-type",
                "webhook_callback_verification",
            )
            .field(
                "twitch-eventsub-message-signature",
                &format!("sha256={signature}"),
            )
    };

    let right = ask(SECRET).send(gate.address).await;
    assert_eq!(
        text(&right),
        (200, "pogchamp-kappa-360noscope-vohiyo".to_owned())
    );
    plain(&right);
    let forged = ask("guess").send(gate.address).await;
    assert_eq!(forged.status, 401);
    assert!(!forged.text().contains("pogchamp") && upstream.is_quiet());
}

#[tokio::test]
async fn xero_gets_200_and_401_for_its_intent_to_receive() {
    let mut upstream = Upstream::ok().await;
    let gate = gate(&upstream, "preset = \"xero\"", &[]).await;
    // The body of Xero's own documentation of the intent to receive.
    let body =
        r#"{"events":[],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}"#;
    let ask = |secret: &str| {
        let signature = base64(&mac(secret.as_bytes(), body.as_bytes()));
        Call::post("/hook", body).field("x-xero-signature", &signature)
    };

    let right = ask(SECRET).send(gate.address).await;
    assert_eq!(text(&right), (200, String::new()));
    assert_eq!(ask("guess").send(gate.address).await.status, 401);
    assert_eq!(
        Call::post("/hook", body).send(gate.address).await.status,
        401
    );
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn trello_finds_somebody_there_by_head_and_nobody_by_get() {
    let mut upstream = Upstream::ok().await;
    let gate = gate(&upstream, "preset = \"trello\"", &[]).await;

    let right = Call::new("HEAD", "/hook", "").send(gate.address).await;
    assert_eq!(right.status, 200);
    assert_eq!(Call::get("/hook").send(gate.address).await.status, 405);
    assert_eq!(
        Call::post("/hook", "{}").send(gate.address).await.status,
        401
    );
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn sns_names_the_url_that_confirms_and_only_one_of_its_own() {
    const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";
    let mut upstream = Upstream::ok().await;
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let signer = RsaKeyPair::from_pkcs8(&pair.serialize_der()).unwrap();
    let key = pair.public_key_pem().trim().to_owned();
    let with = format!("preset = \"sns\", values = {{ topic_arn = \"{TOPIC}\" }}");
    let mut gate = gate(&upstream, &with, &[("KEY", &key)]).await;
    let ask = |topic: &str, url: &str| {
        let lines = format!(
            "Message\nYou have chosen\nMessageId\n165545c9\nSubscribeURL\n{url}\n\
             Timestamp\n2012-04-26T20:45:04.751Z\nToken\n2336412f37\nTopicArn\n{topic}\n\
             Type\nSubscriptionConfirmation\n"
        );
        let mut signature = vec![0; signer.public_modulus_len()];
        signer
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                lines.as_bytes(),
                &mut signature,
            )
            .unwrap();
        let body = serde_json::json!({
            "Type": "SubscriptionConfirmation", "MessageId": "165545c9", "Token": "2336412f37",
            "TopicArn": topic, "Message": "You have chosen", "SubscribeURL": url,
            "Timestamp": "2012-04-26T20:45:04.751Z", "SignatureVersion": "2",
            "Signature": base64(&signature), "SigningCertURL": "https://evil.example/cert.pem",
        });
        Call::post("/hook", body.to_string()).field("content-type", "text/plain")
    };
    let url = "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37";

    let right = ask(TOPIC, url).send(gate.address).await;
    assert_eq!(text(&right), (200, String::new()));
    gate.wait_for_log(|line| line.to_string().contains(url))
        .await;
    let china = "https://sns.cn-north-1.amazonaws.com.cn/?Action=ConfirmSubscription&Token=2";
    let right = ask(TOPIC, china).send(gate.address).await;
    assert_eq!(text(&right), (200, String::new()));
    gate.wait_for_log(|line| line.to_string().contains(china))
        .await;

    let mut tampered = ask(TOPIC, url);
    tampered.body = String::from_utf8(tampered.body)
        .unwrap()
        .replace("us-west", "us-east")
        .into();
    for (case, call) in [
        ("tampered", tampered),
        (
            "a topic of somebody else",
            ask("arn:aws:sns:us-west-2:9:Theirs", url),
        ),
        (
            "another host",
            ask(TOPIC, "https://sns.us-west-2.amazonaws.com.evil.example/"),
        ),
        ("no TLS", ask(TOPIC, "http://sns.us-west-2.amazonaws.com/")),
        (
            "a host in disguise",
            ask(TOPIC, "https://sns.evil.example\\.amazonaws.com/"),
        ),
    ] {
        assert_eq!(call.send(gate.address).await.status, 401, "{case}");
    }
    let told = gate.log().join("\n");
    assert!(!told.contains("evil.example"), "{told}");
    assert!(upstream.is_quiet());
}
