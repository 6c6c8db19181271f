//! Senders whose webhooks name the certificate by which they are signed: it is fetched by the host, from
//! where the configuration allows and from nowhere else.

use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, date_time_ymd};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Act, Authority, Call, Gate, Received, Upstream, base64, check, folder, hook, params,
};

const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";
const NAME: &str = "sns.amazonaws.com";

/// Publishes certificates over TLS, all of them at `/cert.pem`, and signs as SNS does.
struct Sns {
    authority: Authority,
    server: Upstream,
    says: Arc<Mutex<Act>>,
    folder: Arc<TempDir>,
    pair: KeyPair,
}

impl Sns {
    async fn new() -> Self {
        let (authority, folder) = (Authority::new(), folder());
        std::fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
        let says = Arc::new(Mutex::new(Act::status(404)));
        let told = Arc::clone(&says);
        let act = move |_: &Received| told.lock().unwrap().clone();
        let server = Upstream::start_tls(&authority, act).await;
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let sns = Self {
            authority,
            server,
            says,
            folder,
            pair,
        };
        sns.publishes(&sns.certificate(&params(&[NAME])));
        sns
    }

    fn certificate(&self, params: &CertificateParams) -> String {
        self.authority.certify(params, &self.pair)
    }

    fn publishes(&self, pem: &str) {
        self.says(Act::Answer(200, Vec::new(), pem.to_owned()));
    }

    fn says(&self, act: Act) {
        *self.says.lock().unwrap() = act;
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}/{path}", self.server.address)
    }

    fn route(&self, upstream: &Upstream) -> String {
        let host = self.server.address.to_string().replacen("127.0", "*.*", 1);
        hook(upstream).replace("public = true\n", "")
            + &format!(
                "[[routes.hook.plugins]]\nuse = \"signature\"\nwith = {{ preset = \"sns\", values = {{ topic_arn = \"{TOPIC}\" }}, \
                 variants = [], keys = {{ certificates = \"{host}\", ca = \"ca.crt\", private = true }} }}\n"
            )
    }

    async fn gate(&self, upstream: &Upstream) -> Gate {
        Gate::start_in(Arc::clone(&self.folder), &self.route(upstream), &[]).await
    }

    /// A message signed with the key of `pair`, whose certificate is said to be at `url`.
    fn message(pair: &KeyPair, url: &str) -> Call {
        let body = json!({
            "Type": "Notification", "MessageId": "1", "TopicArn": TOPIC, "Message": "hi",
            "Timestamp": "2012-04-26T20:45:04.751Z", "SignatureVersion": "2", "SigningCertURL": url,
        });
        Self::signed(pair, body)
    }

    /// A message that asks to be confirmed by a call of `url`.
    fn subscription(&self, url: &str) -> Call {
        let body = json!({
            "Type": "SubscriptionConfirmation", "MessageId": "1", "Token": "2336412f37",
            "TopicArn": TOPIC, "Message": "hi", "SubscribeURL": url,
            "Timestamp": "2012-04-26T20:45:04.751Z", "SignatureVersion": "2",
            "SigningCertURL": self.url("cert.pem"),
        });
        Self::signed(&self.pair, body)
    }

    fn signed(pair: &KeyPair, mut body: Value) -> Call {
        let names = "Message MessageId Subject SubscribeURL Timestamp Token TopicArn Type";
        let lines = names.split(' ').filter_map(|name| {
            let value = body.get(name)?.as_str()?;
            Some(format!("{name}\n{value}\n"))
        });
        let signed: String = lines.collect();
        let signer = RsaKeyPair::from_pkcs8(&pair.serialize_der()).unwrap();
        let mut signature = vec![0; signer.public_modulus_len()];
        let random = SystemRandom::new();
        signer
            .sign(
                &RSA_PKCS1_SHA256,
                &random,
                signed.as_bytes(),
                &mut signature,
            )
            .unwrap();
        body["Signature"] = base64(&signature).into();
        Call::post("/hook", body.to_string()).field("content-type", "text/plain")
    }

    async fn send(&self, gate: &Gate, path: &str) -> u16 {
        let call = Self::message(&self.pair, &self.url(path));
        call.send(gate.address).await.status
    }
}

const FETCHED: &str = "hookgate_key_fetches_total{result=\"fetched\"}";
const FAILED: &str = "hookgate_key_fetches_total{result=\"failed\"}";

#[tokio::test]
async fn a_certificate_that_a_webhook_names_is_fetched_once_and_kept_for_the_next_start() {
    let mut upstream = Upstream::ok().await;
    let mut sns = Sns::new().await;
    let gate = sns.gate(&upstream).await;

    // Nothing is known of the signature yet: the sender comes again.
    assert_eq!(sns.send(&gate, "cert.pem").await, 503);
    gate.wait_for_metric(FETCHED, 1.0).await;
    assert_eq!(sns.server.next().await.target, "/cert.pem");
    assert_eq!(sns.send(&gate, "cert.pem").await, 200);
    upstream.next().await;

    let stranger = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let forged = Sns::message(&stranger, &sns.url("cert.pem"));
    assert_eq!(forged.send(gate.address).await.status, 401);

    drop(gate);
    sns.says(Act::status(503));
    let gate = sns.gate(&upstream).await;
    assert_eq!(sns.send(&gate, "cert.pem").await, 200);
    upstream.next().await;
    assert!(sns.server.is_quiet() && upstream.is_quiet());
}

#[tokio::test]
async fn a_certificate_elsewhere_is_never_asked_for() {
    let mut upstream = Upstream::ok().await;
    let (mut sns, mut elsewhere) = (Sns::new().await, Sns::new().await);
    let gate = sns.gate(&upstream).await;
    let port = sns.server.address.port();

    for url in [
        elsewhere.url("cert.pem"),
        sns.url("cert.pem").replace("https", "http"),
        format!("https://127.0.0.1.evil.example:{port}/cert.pem"),
        format!("https://evil.example@127.0.0.1:{port}/cert.pem"),
        sns.url("cert"),
        sns.url("cert.pem.txt"),
        sns.url("cert?x=.pem"),
        String::new(),
    ] {
        let status = Sns::message(&sns.pair, &url)
            .send(gate.address)
            .await
            .status;
        assert_eq!(status, 401, "{url}");
    }

    // As Lambda is told it, which is no call of SNS's over HTTP.
    let mut lambda = Sns::message(&sns.pair, &sns.url("cert.pem"));
    let body = String::from_utf8(lambda.body).unwrap();
    lambda.body = body.replace("SigningCertURL", "SigningCertUrl").into();
    assert_eq!(lambda.send(gate.address).await.status, 401);

    assert!(sns.server.is_quiet() && elsewhere.server.is_quiet() && upstream.is_quiet());
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_believed_does_not_count() {
    let mut upstream = Upstream::ok().await;
    let sns = Sns::new().await;
    let mut gate = sns.gate(&upstream).await;
    let mut old = params(&[NAME]);
    old.not_after = date_time_ymd(2020, 1, 1);
    let chained = |pem: String| pem + sns.authority.pem();
    let own = Authority::new();
    let strangers = own.certify(&params(&[NAME]), &sns.pair) + own.pem();
    for (path, pem, why) in [
        (
            "old.pem",
            sns.certificate(&old),
            "is a certificate that is not to be trusted",
        ),
        (
            "other.pem",
            chained(sns.certificate(&params(&["evil.example"]))),
            "is a certificate of others than sns.amazonaws.com",
        ),
        (
            "another-region.pem",
            sns.certificate(&params(&["sns-signing.1.amazonaws.com"])),
            "sns-signing.0.amazonaws.com",
        ),
        (
            "strangers.pem",
            strangers,
            "is a certificate that is not to be trusted",
        ),
        ("none.pem", "<html>".to_owned(), "is no certificate in PEM"),
    ] {
        sns.publishes(&pem);
        assert_eq!(sns.send(&gate, path).await, 503, "{path}");
        let line = gate
            .wait_for_log(|line| line["source"] == sns.url(path).as_str())
            .await;
        assert!(
            line["reason"].as_str().unwrap().contains(why),
            "{path}: {line}"
        );
        assert_eq!(sns.send(&gate, path).await, 401, "{path}");
    }
    assert_eq!(gate.metric(FAILED).await, 5.0);
    assert!(upstream.is_quiet());
}

/// In newer regions it is named after them: the label that the host has where the name has `*`.
#[tokio::test]
async fn a_certificate_may_be_the_one_of_its_region() {
    let mut upstream = Upstream::ok().await;
    let sns = Sns::new().await;
    let gate = sns.gate(&upstream).await;
    sns.publishes(&sns.certificate(&params(&["sns-signing.0.amazonaws.com"])));

    assert_eq!(sns.send(&gate, "region.pem").await, 503);
    gate.wait_for_metric(FETCHED, 1.0).await;
    assert_eq!(sns.send(&gate, "region.pem").await, 200);
    upstream.next().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_says_nothing_about_its_certificates() {
    let upstream = Upstream::ok().await;
    let sns = Sns::new().await;
    let gate = sns.gate(&upstream).await;
    let right = sns.says.lock().unwrap().clone();

    sns.says(Act::status(503));
    assert_eq!(sns.send(&gate, "cert.pem").await, 503);
    gate.wait_for_metric(FAILED, 1.0).await;
    assert_eq!(sns.send(&gate, "cert.pem").await, 503, "it is asked again");
    gate.wait_for_metric(FAILED, 2.0).await;

    sns.says(right);
    assert_eq!(sns.send(&gate, "cert.pem").await, 503);
    gate.wait_for_metric(FETCHED, 1.0).await;
    assert_eq!(sns.send(&gate, "cert.pem").await, 200);
}

#[tokio::test]
async fn certificates_are_fetched_for_those_who_name_them() {
    let upstream = Upstream::ok().await;
    let sns = Sns::new().await;
    let right = sns.route(&upstream);

    let (code, said) = check(&sns.folder, &right).await;
    assert_eq!(code, 0, "{said}");

    let github = right
        .replace("\"sns\"", "\"github\"")
        .replace("variants = [], ", "");
    let (code, said) = check(&sns.folder, &github).await;
    assert_eq!(code, 78);
    assert!(
        said.contains("nobody says where webhooks name their certificate"),
        "{said}"
    );
    assert!(
        said.contains("it is known of the presets `paypal` and `sns`"),
        "{said}"
    );
    for wide in ["*.amazonaws.*", "*.com", "amazonaws.com", "a/b.example.com"] {
        let host = sns.server.address.to_string().replacen("127.0", "*.*", 1);
        let (code, said) = check(&sns.folder, &right.replace(&host, wide)).await;
        assert_eq!(code, 78, "{wide}");
        let sentence = format!("`{wide}` is not the host of a sender's certificates");
        assert!(said.contains(&sentence), "{said}");
    }
}

#[tokio::test]
async fn a_subscription_is_confirmed_by_the_host_where_the_route_says_so() {
    let upstream = Upstream::ok().await;
    let (mut sns, mut elsewhere) = (Sns::new().await, Sns::new().await);
    // The preset's own handshake knows the hosts of AWS only.
    let confirm = "confirm = true, \
        handshakes = [{ when = [{ pointer = \"/Type\", equals = \"SubscriptionConfirmation\" }] }]";
    let toml = sns
        .route(&upstream)
        .replace("variants = []", &format!("variants = [], {confirm}"));
    let gate = Gate::start_in(Arc::clone(&sns.folder), &toml, &[]).await;
    assert_eq!(sns.send(&gate, "cert.pem").await, 503);
    gate.wait_for_metric(FETCHED, 1.0).await;
    sns.server.next().await;
    let url = sns.url("?Action=ConfirmSubscription&Token=2336412f37");
    let ask = async |call: Call| call.send(gate.address).await.status;

    sns.says(Act::status(500));
    assert_eq!(ask(sns.subscription(&url)).await, 503, "AWS asks again");
    sns.says(Act::status(200));
    assert_eq!(ask(sns.subscription(&url)).await, 200);
    for _ in ["failed", "confirmed"] {
        let called = sns.server.next().await;
        let target = "/?Action=ConfirmSubscription&Token=2336412f37";
        assert_eq!((&*called.method, &*called.target), ("GET", target));
    }

    let mut forged = sns.subscription(&url);
    forged.body = String::from_utf8(forged.body)
        .unwrap()
        .replace("hi", "ho")
        .into();
    assert_eq!(ask(forged).await, 401);
    assert_eq!(ask(sns.subscription(&elsewhere.url("x"))).await, 503);
    assert_eq!(sns.send(&gate, "cert.pem").await, 200);
    assert!(sns.server.is_quiet() && elsewhere.server.is_quiet());
}
