//! TLS: protocols, names, handshakes that go wrong, and certificates that are changed.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tempfile::TempDir;

use crate::support::{Authority, Call, Connection, Gate, H2, Upstream, check, folder, hook};

const HOOKS: &str = "hooks.example.com";

/// A server with one certificate, `a`.
const ONE: &str = "[server]\nlisten = [\"127.0.0.1:0\"]\nlimits = { handshake = \"1s\" }\n\
    [[server.tls]]\ncert = \"a.crt\"\nkey = \"a.key\"\n";

async fn gate(authority: &Authority, upstream: &Upstream) -> (Gate, Arc<TempDir>) {
    let folder = folder();
    authority.issue_into(folder.path(), "a", &[HOOKS]);
    let toml = format!("{ONE}{}", hook(upstream));
    (
        Gate::start_in(Arc::clone(&folder), &toml, &[]).await,
        folder,
    )
}

/// The certificate that whoever asks for `name` is shown.
async fn shown(gate: &Gate, authority: &Authority, name: &str) -> CertificateDer<'static> {
    let stream = authority.connect(gate.address, name, &[]).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

fn written(folder: &TempDir, file: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(folder.path().join(file)).unwrap()
}

#[tokio::test]
async fn alpn_chooses_between_http_2_and_http_1_1() {
    let authority = Authority::new();
    let mut upstream = Upstream::ok().await;
    let (gate, _folder) = gate(&authority, &upstream).await;
    let call = Call::post("/hook", "over h2");

    let both = authority
        .connect(gate.address, HOOKS, &[b"http/1.1", b"h2"])
        .await
        .unwrap();
    let neither = authority.connect(gate.address, HOOKS, &[b"spdy/3"]).await;
    let over_2 = H2::connect(gate.address, HOOKS, &authority)
        .await
        .send(&call)
        .await;
    let over_1 = Call::post("/hook", "over h1")
        .send_tls(gate.address, HOOKS, &authority)
        .await;
    let silent = authority.connect(gate.address, HOOKS, &[]).await.unwrap();
    let untold = Connection::over(silent)
        .call(&Call::post("/hook", "without ALPN"))
        .await;

    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert!(neither.is_err());
    assert_eq!(
        (over_2.status, over_1.status, untold.status),
        (200, 200, 200)
    );
    for body in ["over h2", "over h1", "without ALPN"] {
        let received = upstream.next().await;
        assert_eq!(received.text(), body);
        assert_eq!(received.field("x-forwarded-proto"), Some("https"));
        assert_eq!(received.field("x-forwarded-host").unwrap(), HOOKS);
    }
}

#[tokio::test]
async fn the_name_that_is_asked_for_chooses_the_certificate() {
    let authority = Authority::new();
    let upstream = Upstream::ok().await;
    let folder = folder();
    authority.issue_into(folder.path(), "a", &[HOOKS, "127.0.0.1"]);
    authority.issue_into(folder.path(), "b", &["*.example.org"]);
    authority.issue_into(folder.path(), "c", &["one.example.org"]);
    let tls = |file| format!("[[server.tls]]\ncert = \"{file}.crt\"\nkey = \"{file}.key\"\n");
    let toml = format!("{ONE}{}{}{}", tls("b"), tls("c"), hook(&upstream));
    let gate = Gate::start_in(Arc::clone(&folder), &toml, &[]).await;

    for (name, file) in [
        (HOOKS, "a.crt"),
        ("two.example.org", "b.crt"),
        ("TWO.example.org", "b.crt"),
        ("one.example.org", "c.crt"),
        ("127.0.0.1", "a.crt"), // a sender that names an address names nobody
    ] {
        assert!(
            shown(&gate, &authority, name).await == written(&folder, file),
            "{name}"
        );
    }
    for name in ["example.org", "a.two.example.org", "elsewhere.test"] {
        let refused = authority
            .connect(gate.address, name, &[])
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains("not valid for name"), "{name}: {refused}");
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_keeps_nobody_waiting_and_is_cut_off() {
    let authority = Authority::new();
    let upstream = Upstream::ok().await;
    let (mut gate, _folder) = gate(&authority, &upstream).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        let mut connection = Connection::open(gate.address).await;
        connection.write(b"\x16\x03\x01").await;
        silent.push(connection);
    }

    let answer = Call::post("/hook", "x")
        .send_tls(gate.address, HOOKS, &authority)
        .await;
    let line = gate
        .wait_for_log(|line| line["msg"] == "handshake failed")
        .await;

    assert_eq!(answer.status, 200);
    assert_eq!(line["reason"], "it took too long");
    for mut connection in silent {
        assert_eq!(connection.rest().await, b"");
    }
}

#[tokio::test]
async fn plain_bytes_on_a_tls_port_are_a_failed_handshake() {
    let authority = Authority::new();
    let mut upstream = Upstream::ok().await;
    let (mut gate, _folder) = gate(&authority, &upstream).await;

    let mut plain = Connection::open(gate.address).await;
    plain
        .write(Call::post("/hook", "in the clear").bytes())
        .await;
    let rest = plain.rest().await;

    assert!(!rest.starts_with(b"HTTP"));
    gate.wait_for_log(|line| line["msg"] == "handshake failed")
        .await;
    assert_eq!(gate.metric("hookgate_handshakes_failed_total").await, 1.0);
    let answer = Call::post("/hook", "x")
        .send_tls(gate.address, HOOKS, &authority)
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(upstream.next().await.text(), "x");
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_reload_shows_the_new_certificate_to_new_connections_and_keeps_the_old_ones() {
    let authority = Authority::new();
    let upstream = Upstream::ok().await;
    let (mut gate, folder) = gate(&authority, &upstream).await;
    let before = written(&folder, "a.crt");
    let stream = authority
        .connect(gate.address, HOOKS, &[b"http/1.1"])
        .await
        .unwrap();
    let mut open = Connection::over(stream);
    assert_eq!(open.call(&Call::post("/hook", "x")).await.status, 200);

    authority.issue_into(folder.path(), "a", &[HOOKS]);
    gate.apply(&format!("{ONE}{}", hook(&upstream))).await;

    let after = shown(&gate, &authority, HOOKS).await;
    assert!(after != before && after == written(&folder, "a.crt"));
    assert_eq!(open.call(&Call::post("/hook", "x")).await.status, 200);
}

#[tokio::test]
async fn a_reload_with_the_key_of_another_certificate_changes_nothing() {
    let authority = Authority::new();
    let upstream = Upstream::ok().await;
    let (mut gate, folder) = gate(&authority, &upstream).await;
    let before = written(&folder, "a.crt");

    let (cert, _) = authority.issue(&[HOOKS]);
    std::fs::write(folder.path().join("a.crt"), cert).unwrap();
    let report = gate.refuse(&format!("{ONE}{}", hook(&upstream))).await;

    assert!(
        report.contains("it is not the key of the certificate"),
        "{report}"
    );
    assert!(shown(&gate, &authority, HOOKS).await == before);
}

#[tokio::test]
async fn a_reload_between_tls_and_plain_http_is_refused() {
    let authority = Authority::new();
    let upstream = Upstream::ok().await;
    let (mut secure, folder) = gate(&authority, &upstream).await;
    let (without, _) = ONE.split_once("[[server.tls]]").unwrap();
    let [with, without] = [ONE, without].map(|server| format!("{server}{}", hook(&upstream)));
    let mut plain = Gate::start_in(folder, &without, &[]).await;
    let call = Call::post("/hook", "x");

    let reports = [secure.refuse(&without).await, plain.refuse(&with).await];

    for report in reports {
        assert!(report.contains("between TLS and plain HTTP"), "{report}");
    }
    let answered = [
        call.send_tls(secure.address, HOOKS, &authority).await,
        call.send(plain.address).await,
    ];
    assert_eq!(answered.map(|answer| answer.status), [200, 200]);
}

#[tokio::test]
async fn a_certificate_that_expires_soon_is_told_by_check() {
    let folder = folder();
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    // Days that it has been valid for, and days that are left.
    for (since, left, is_told) in [(80, 10, true), (70, 20, false), (2, 4, false)] {
        let [from, until] = [today - since.days(), today + left.days()].map(|day| {
            let [month, day_of_month] = [day.month(), day.day()].map(i8::unsigned_abs);
            rcgen::date_time_ymd(day.year().into(), month, day_of_month)
        });
        let mut params = CertificateParams::new([HOOKS.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (from, until);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap().pem();
        std::fs::write(folder.path().join("a.crt"), cert).unwrap();
        std::fs::write(folder.path().join("a.key"), key.serialize_pem()).unwrap();

        let toml = format!(
            "{ONE}[routes.hook]\npath = \"/hook\"\npublic = true\nforward = \"a\"\n\
             [upstreams.a]\nurl = \"http://127.0.0.1:9\"\n"
        );
        let (code, said) = check(&folder, &toml).await;

        assert_eq!(code, 0, "{said}");
        let told = format!("warning: `a.crt` expires on {}", today + left.days());
        assert_eq!(said.contains(&told), is_told, "{since} {left}: {said}");
    }
}

#[tokio::test]
async fn a_head_of_too_many_fields_is_431_over_http_2_as_well() {
    let authority = Authority::new();
    let upstream = Upstream::ok().await;
    let folder = folder();
    authority.issue_into(folder.path(), "a", &[HOOKS]);
    let server = ONE.replace("handshake = \"1s\"", "headers = 10");
    let gate = Gate::start_in(folder, &format!("{server}{}", hook(&upstream)), &[]).await;
    let mut connection = H2::connect(gate.address, HOOKS, &authority).await;
    // `Content-Length` is a field too.
    let with =
        |count| (0..count - 1).fold(Call::post("/hook", "x"), |call, _| call.field("a", "b"));

    assert_eq!(connection.send(&with(11)).await.status, 431);
    assert_eq!(connection.send(&with(10)).await.status, 200);
}
