//! Which route takes a call, who may call it, and what is no call at all.

use crate::support::{Authority, Call, Connection, Gate, H2, Upstream, folder, hook};

/// A route of a name at a path, to the upstream `app`.
fn route(name: &str, path: &str, more: &str) -> String {
    format!("[routes.{name}]\npath = \"{path}\"\npublic = true\nforward = \"app\"\n{more}\n")
}

fn app(upstream: &Upstream) -> String {
    format!("[upstreams.app]\nurl = \"{}\"\n", upstream.url())
}

#[tokio::test]
async fn a_refusal_carries_its_id_and_the_log_its_cause() {
    let mut upstream = Upstream::ok().await;
    let mut gate = Gate::start(&hook(&upstream)).await;

    let answer = Call::post("/hook/", "x").send(gate.address).await;
    let id = answer.field("hookgate-id").unwrap().to_owned();
    let line = gate.wait_for_log(|line| line["id"] == id.as_str()).await;

    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.field("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(
        answer.json(),
        serde_json::json!({ "title": "Not Found", "status": 404, "id": id })
    );
    assert_eq!(line["reason"], "no route has this host and path");
    assert_eq!(
        (&line["status"], &line["sender"]),
        (&404.into(), &"127.0.0.1".into())
    );
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_method_that_the_route_does_not_take_is_405_and_hears_which_it_takes() {
    let mut upstream = Upstream::ok().await;
    let toml = hook(&upstream) + "methods = [\"POST\", \"PUT\"]\n";
    let gate = Gate::start(&toml).await;

    for method in ["POST", "PUT"] {
        assert_eq!(
            Call::new(method, "/hook", "x")
                .send(gate.address)
                .await
                .status,
            200
        );
        assert_eq!(upstream.next().await.method, method);
    }
    for method in ["GET", "DELETE", "post", "OPTIONS"] {
        let answer = Call::new(method, "/hook", "").send(gate.address).await;
        assert_eq!(
            (answer.status, answer.field("allow")),
            (405, Some("POST, PUT")),
            "{method}"
        );
    }
    assert_eq!(
        Call::new("TRACE", "/hook", "")
            .send(gate.address)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn the_host_and_then_the_path_choose_the_route() {
    let mut upstream = Upstream::ok().await;
    let routes = [
        route("exact", "/hook", "host = \"a.example.com\""),
        route("wildcard", "/hook", "host = \"*.example.com\""),
        route("anywhere", "/hook", ""),
        route("team", "/alerts/{team}", ""),
        route("ops", "/alerts/ops", ""),
        route("rest", "/in/{*rest}", ""),
    ];
    let gate = Gate::start(&(app(&upstream) + &routes.concat())).await;

    for (host, target, name) in [
        ("a.example.com", "/hook", "exact"),
        ("A.Example.com:8443", "/hook?x=/alerts/ops", "exact"),
        ("b.example.com", "/hook", "wildcard"),
        ("example.com", "/hook", "anywhere"),
        ("[::1]:8443", "/hook", "anywhere"),
        ("a.example.com", "/alerts/db", "team"),
        ("a.example.com", "/alerts/ops", "ops"),
        ("a.example.com", "/in/a/b", "rest"),
    ] {
        let call = Call::post(target, "x").field("host", host);
        assert_eq!(call.send(gate.address).await.status, 200, "{host} {target}");
        let received = upstream.next().await;
        assert_eq!(
            received.field("hookgate-route"),
            Some(name),
            "{host} {target}"
        );
        assert_eq!(received.target, target);
    }
    for target in ["/alerts", "/alerts/", "/alerts/a/b", "/in/", "/Hook", "/"] {
        assert_eq!(
            Call::post(target, "x").send(gate.address).await.status,
            404,
            "{target}"
        );
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn the_authority_of_http_2_is_a_host() {
    let authority = Authority::new();
    let mut upstream = Upstream::ok().await;
    let folder = folder();
    authority.issue_into(folder.path(), "a", &["a.example.com", "b.example.com"]);
    let tls = "[[server.tls]]\ncert = \"a.crt\"\nkey = \"a.key\"\n";
    let only = route("only", "/hook", "host = \"a.example.com\"");
    let gate = Gate::start_in(folder, &format!("{tls}{}{only}", app(&upstream)), &[]).await;
    let call = Call::post("/hook", "x");

    let right = H2::connect(gate.address, "a.example.com", &authority)
        .await
        .send(&call)
        .await;
    let wrong = H2::connect(gate.address, "b.example.com", &authority)
        .await
        .send(&call)
        .await;

    assert_eq!((right.status, wrong.status), (200, 404));
    assert_eq!(
        upstream.next().await.field("x-forwarded-host"),
        Some("a.example.com")
    );
}

#[tokio::test]
async fn an_address_that_is_not_on_the_list_is_403() {
    let mut upstream = Upstream::ok().await;
    let routes = [
        route("inside", "/inside", "allow = [\"127.0.0.0/8\"]"),
        route(
            "outside",
            "/outside",
            "allow = [\"192.0.2.0/24\", \"2001:db8::/32\"]",
        ),
    ];
    let gate = Gate::start(&(app(&upstream) + &routes.concat())).await;
    let claiming = |target| Call::post(target, "x").field("x-forwarded-for", "192.0.2.7");

    assert_eq!(claiming("/inside").send(gate.address).await.status, 200);
    assert_eq!(claiming("/outside").send(gate.address).await.status, 403);
    assert_eq!(
        upstream.next().await.field("x-forwarded-for"),
        Some("127.0.0.1")
    );
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_who_the_sender_is() {
    let mut upstream = Upstream::ok().await;
    let server = "[server]\nlisten = [\"127.0.0.1:0\"]\ntrusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]\n";
    let outside = route("outside", "/outside", "allow = [\"192.0.2.0/24\"]");
    let gate = Gate::start(&format!("{server}{}{outside}", app(&upstream))).await;
    let forwarded = |chain| Call::post("/outside", "x").field("x-forwarded-for", chain);

    for chain in [
        "192.0.2.7",
        "198.51.100.1, 192.0.2.7, 10.1.2.3",
        "192.0.2.7:4711",
    ] {
        let call = forwarded(chain).field("x-forwarded-proto", "https");
        assert_eq!(call.send(gate.address).await.status, 200, "{chain}");
        let received = upstream.next().await;
        assert_eq!(
            received.field("x-forwarded-for"),
            Some("192.0.2.7"),
            "{chain}"
        );
        assert_eq!(
            received.field("x-forwarded-proto"),
            Some("https"),
            "{chain}"
        );
    }
    // What the sender itself wrote stands left of what the proxy saw.
    for chain in ["192.0.2.7, 198.51.100.1", "192.0.2.7, unknown", "10.0.0.1"] {
        assert_eq!(
            forwarded(chain).send(gate.address).await.status,
            403,
            "{chain}"
        );
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_path_that_climbs_is_400_and_its_neighbours_are_not() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&(app(&upstream) + &route("rest", "/in/{*rest}", ""))).await;

    for target in [
        "/in/../admin",
        "/in/./a",
        "/in/%2e%2E/a",
        "/in/..",
        "/in/..%2fa",
        "/in/..%5ca",
    ] {
        assert_eq!(
            Call::post(target, "x").send(gate.address).await.status,
            400,
            "{target}"
        );
    }
    for target in ["/in/a..b", "/in/...", "/in/.well-known", "/in/a%20b?x=../y"] {
        assert_eq!(
            Call::post(target, "x").send(gate.address).await.status,
            200,
            "{target}"
        );
        assert_eq!(upstream.next().await.target, target);
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_call_without_exactly_one_good_host_is_400() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&hook(&upstream)).await;
    let call = |hosts: &str| format!("POST /hook HTTP/1.1\r\n{hosts}content-length: 0\r\n\r\n");

    for hosts in [
        "",
        "host: a\r\nhost: a\r\n",
        "host: \r\n",
        "host: user@a\r\n",
        "host: a b\r\n",
        "host: a:80x\r\n",
        "host: a/b\r\n",
        "host : a\r\n",
    ] {
        let mut connection = Connection::open(gate.address).await;
        connection.write(call(hosts)).await;
        let answer = connection.answer().await;
        assert_eq!(
            (answer.status, answer.field("connection")),
            (400, Some("close")),
            "{hosts:?}"
        );
    }
    let mut connection = Connection::open(gate.address).await;
    connection.write(call("host: a:8443\r\n")).await;
    assert_eq!(connection.answer().await.status, 200);
    upstream.next().await;
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_body_whose_end_is_in_doubt_is_400_and_the_connection_ends() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&hook(&upstream)).await;

    for (framing, body) in [
        ("content-length: 5\r\ncontent-length: 6\r\n", "hello!"),
        ("content-length: 5, 5\r\n", "hello"),
        ("content-length: +5\r\n", "hello"),
        ("content-length: 0x5\r\n", "hello"),
        ("transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        (
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        ("transfer-encoding: xchunked\r\n", "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\n", "5;\r\nhello\r\nx\r\n\r\n"),
        ("transfer-encoding: chunked\r\n", "-5\r\nhello\r\n0\r\n\r\n"),
    ] {
        let mut connection = Connection::open(gate.address).await;
        connection
            .write(format!(
                "POST /hook HTTP/1.1\r\nhost: a\r\n{framing}\r\n{body}"
            ))
            .await;
        let answer = connection.answer().await;
        assert_eq!(
            (answer.status, answer.field("connection")),
            (400, Some("close")),
            "{framing:?}"
        );
        assert_eq!(connection.rest().await, b"", "{framing:?}");
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_body_with_two_ends_is_refused_and_what_follows_is_no_webhook() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&hook(&upstream)).await;
    let smuggled = "POST /hook HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nbad";
    let body = format!("4\r\ngood\r\n0\r\n\r\n{smuggled}");

    // RFC 9112, 6.1: a server may refuse it, and must end the connection.
    for fields in [
        format!(
            "content-length: {}\r\ntransfer-encoding: chunked\r\n",
            body.len()
        ),
        format!(
            "transfer-encoding: chunked\r\ncontent-length: {}\r\n",
            body.len()
        ),
    ] {
        let mut connection = Connection::open(gate.address).await;
        connection
            .write(format!(
                "POST /hook HTTP/1.1\r\nhost: a\r\n{fields}\r\n{body}"
            ))
            .await;
        let answer = connection.answer().await;

        assert_eq!(
            (answer.status, answer.field("connection")),
            (400, Some("close")),
            "{fields:?}"
        );
        assert_eq!(connection.rest().await, b"", "{fields:?}");
        assert!(upstream.is_quiet(), "{fields:?}");
    }
}

#[tokio::test]
async fn http_1_0_is_served_and_its_transfer_coding_is_not() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&hook(&upstream)).await;

    let mut old = Connection::open(gate.address).await;
    old.write("POST /hook HTTP/1.0\r\ncontent-length: 3\r\n\r\nold")
        .await;
    let answer = old.answer().await;
    let mut coded = Connection::open(gate.address).await;
    coded
        .write("POST /hook HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")
        .await;

    assert_eq!(answer.status, 200);
    assert_eq!(old.rest().await, b"");
    assert_eq!(coded.answer().await.status, 400);
    assert_eq!(upstream.next().await.text(), "old");
    assert!(upstream.is_quiet());
}
