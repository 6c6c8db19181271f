//! Upstreams whose certificates are not trusted: what operators read, and that the cure cures.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::support::{Act, Authority, Call, Gate, Upstream, acceptor, folder, hook_to, params};

/// One attempt, so that its failure is the answer.
const ONCE: &str = "ack = \"upstream\"\nretry = { schedule = [\"1ms\"], attempts = 1 }\n";

/// A route to an upstream that shows this certificate, trusting what is in `trusted.pem`.
async fn shows(cert: &str, key: &KeyPair, trusted: &str) -> (Gate, Upstream) {
    let folder = folder();
    std::fs::write(folder.path().join("trusted.pem"), trusted).unwrap();
    let acceptor = acceptor(cert, &key.serialize_pem());
    let upstream = Upstream::behind(acceptor, |_| Act::status(200)).await;
    let url = format!("https://{}\"\nca = \"trusted.pem", upstream.address);
    let gate = Gate::start_in(folder, &(hook_to(&url) + ONCE), &[]).await;
    (gate, upstream)
}

/// A certificate as `openssl req -x509` makes it.
fn self_signed(is_ca: IsCa) -> (String, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = params(&["127.0.0.1"]);
    params.is_ca = is_ca;
    (params.self_signed(&key).unwrap().pem(), key)
}

const CA_TRUE: &str = "its certificate is an authority's (CA:TRUE), which no server may show; make one with \
                       `-addext basicConstraints=critical,CA:FALSE`";

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told_in_words() {
    let authority = Authority::new();
    let issued = |made: CertificateParams| {
        let key = KeyPair::generate().unwrap();
        (
            authority.certify(&made, &key),
            key,
            authority.pem().to_owned(),
        )
    };
    let dated = |from, until| {
        let mut made = params(&["127.0.0.1"]);
        made.not_before = date_time_ymd(from, 1, 2);
        made.not_after = date_time_ymd(until, 1, 2);
        made
    };
    let strangers = |trusted: &str| {
        let (cert, key, _) = issued(params(&["127.0.0.1"]));
        (cert, key, trusted.to_owned())
    };
    let another = {
        let mut made = params(&[]);
        made.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        made.distinguished_name.push(DnType::CommonName, "another");
        made.self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .pem()
    };
    let of_authority = {
        let (cert, key) = self_signed(IsCa::Ca(BasicConstraints::Unconstrained));
        (cert.clone(), key, cert)
    };
    for ((cert, key, trusted), told) in [
        (of_authority, CA_TRUE),
        (
            strangers(&another),
            "its certificate is of an authority that is not trusted here; name that authority with `ca` (a \
             PEM file)",
        ),
        (
            strangers(Authority::new().pem()),
            "the signature of its certificate is wrong: another authority of the same name made it?",
        ),
        (
            issued(params(&["ci.internal", "192.0.2.1"])),
            "its certificate is for `ci.internal`, `192.0.2.1` and not for `127.0.0.1`",
        ),
        (
            issued(params(&[])),
            "its certificate has no name for `127.0.0.1`; it needs a `subjectAltName` with it",
        ),
        (
            issued(dated(2019, 2020)),
            "its certificate expired on 2020-01-02",
        ),
        (
            issued(dated(4095, 4096)),
            "its certificate is not valid before 4095-01-02; are both clocks right?",
        ),
    ] {
        let (mut gate, mut upstream) = shows(&cert, &key, &trusted).await;

        let answer = Call::post("/hook", "x").send(gate.address).await;

        assert_eq!(answer.status, 502, "{told}");
        assert!(upstream.is_quiet());
        let line = gate
            .wait_for_log(|line| line["msg"] == "attempt failed")
            .await;
        assert_eq!(
            (&line["outcome"], &line["reason"]),
            (&"tls".into(), &told.into())
        );
        let answered = gate
            .wait_for_log(|line| line["msg"] == "webhook unavailable")
            .await;
        assert_eq!(answered["reason"], "tls");
        let id = answer.field("hookgate-id").unwrap();
        let found = gate
            .ask(&Call::get(&format!("/api/webhooks?id={id}")))
            .await;
        assert_eq!(found.json()["deliveries"][0]["tried"][0]["reason"], told);
    }
}

#[tokio::test]
async fn a_certificate_that_is_no_authoritys_may_be_trusted_itself() {
    let (cert, key) = self_signed(IsCa::ExplicitNoCa);
    let (gate, mut upstream) = shows(&cert, &key, &cert).await;

    let answer = Call::post("/hook", "x").send(gate.address).await;

    assert_eq!(answer.status, 200);
    assert_eq!(upstream.next().await.text(), "x");
}

#[tokio::test]
async fn who_does_not_speak_tls_is_told_from_who_is_not_there() {
    // What web servers say to who greets them in TLS where they expect HTTP.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _hello = stream.read(&mut [0; 4096]).await.unwrap();
        let told = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(told).await.unwrap();
    });
    let toml = hook_to(&url) + ONCE;
    let mut gate = Gate::start(&toml).await;

    assert_eq!(
        Call::post("/hook", "x").send(gate.address).await.status,
        502
    );

    let line = gate
        .wait_for_log(|line| line["msg"] == "attempt failed")
        .await;
    let told = "`127.0.0.1` does not answer in TLS; is it an `http://` address?";
    assert_eq!(line["reason"], told);
}

#[tokio::test]
async fn send_tells_it_too() {
    let (cert, key) = self_signed(IsCa::Ca(BasicConstraints::Unconstrained));
    let folder = folder();
    std::fs::write(folder.path().join("own.pem"), &cert).unwrap();
    let acceptor = acceptor(&cert, &key.serialize_pem());
    let upstream = Upstream::behind(acceptor, |_| Act::status(200)).await;
    let to = format!("https://{}/github", upstream.address);

    let output = Command::new(env!("CARGO_BIN_EXE_hookgate"))
        .args([
            "send",
            "github",
            "push",
            "--to",
            &to,
            "--secret-env",
            "KEY",
            "--ca",
            "own.pem",
        ])
        .env("KEY", "a-long-random-text")
        .current_dir(folder.path())
        .output()
        .await
        .unwrap();

    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, format!("error: {to} did not answer: {CA_TRUE}\n"));
}
