//! Each endpoint, and for each thing it answers the nearest thing it refuses.

mod letters;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    Admin, BindError, BufferView, DeadLetterView, Page, Phase, Readiness, ReloadOutcome,
    ReloadRequest, RouteView, Settings, State, StateView, UpstreamView, WhereView,
};
use crate::delivery::{Moved, Replayed};
use crate::secret::Secret;
use crate::telemetry::Telemetry;

/// An admin and the server's end of it.
struct House {
    admin: Admin,
    readiness: Arc<Readiness>,
    reloads: mpsc::Receiver<ReloadRequest>,
}

fn house(token: Option<&str>) -> House {
    let (reload, reloads) = mpsc::channel(1);
    let readiness = Arc::new(Readiness::new());
    let state = State {
        telemetry: Telemetry::new(),
        readiness: Arc::clone(&readiness),
        is_writable: Arc::new(|| true),
        snapshot: Arc::new(|| StateView {
            routes: vec![RouteView {
                name: "github".to_owned(),
                host: None,
                path: "/<script>".to_owned(),
                ack: "buffered",
                upstreams: vec!["ci".to_owned()],
                plugins: vec!["signature".to_owned(), "json-filter".to_owned()],
            }],
            upstreams: vec![UpstreamView {
                name: "ci".to_owned(),
                url: "http://ci.internal:8080/hooks".to_owned(),
                in_flight: 3,
                concurrency: 256,
                breaker: "closed",
            }],
            buffer: BufferView {
                deliveries: 2,
                deliveries_max: 100,
                bytes: 4_096,
                bytes_max: 8_192,
            },
            dead_letters: 1,
        }),
        waiting: Arc::new(|wanted| {
            Ok(Page {
                items: Vec::new(),
                total: wanted.max,
                next: wanted.after,
            })
        }),
        find: Arc::new(|_| WhereView::default()),
        replay: Arc::new(|_, _| Ok(Replayed::default())),
        discard: Arc::new(|_| Ok(2)),
        hurry: Arc::new(|_, _| Ok(Moved::default())),
        withdraw: Arc::new(|_| Ok(Moved::default())),
        caught_up: Arc::new(|_| Box::pin(async { true })),
        dead_letters: Arc::new(|_| {
            let items = vec![DeadLetterView {
                id: "wh_1".to_owned(),
                route: "github".to_owned(),
                upstream: "ci".to_owned(),
                part: None,
                attempts: 3,
                reason: "410 Gone".to_owned(),
                arrived_at: "2026-11-20T20:17:02Z".parse().unwrap(),
                given_up_at: "2026-11-20T20:18:02Z".parse().unwrap(),
                tried: Vec::new(),
                is_stranded: false,
                webhook: None,
            }];
            Ok(Page {
                items,
                total: 1,
                next: None,
            })
        }),
        reload,
    };
    let token = token.map(|token| Arc::new(Secret::new(token.as_bytes().to_vec())));
    House {
        admin: Admin::new(token, state),
        readiness,
        reloads,
    }
}

/// `method` and `path` with the fields given.
async fn ask(
    admin: &Admin,
    call: &str,
    fields: &[(&str, &str)],
) -> (StatusCode, Response<Full<Bytes>>) {
    let (method, path) = call.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(()).unwrap().into_parts().0;
    let response = admin.answer(request, [127, 0, 0, 1].into()).await;
    (response.status(), response)
}

const LOCAL: (&str, &str) = ("host", "127.0.0.1:9119");

async fn body(response: Response<Full<Bytes>>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn object(response: Response<Full<Bytes>>) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    serde_json::from_str(&body(response).await).unwrap()
}

#[tokio::test]
async fn readiness_follows_the_process_and_liveness_does_not() {
    let House {
        admin,
        readiness,
        reloads: _reloads,
    } = house(None);
    let cases = [
        (
            Phase::Starting,
            503,
            json!({"ready": false, "reasons": ["starting"]}),
        ),
        (Phase::Ready, 200, json!({"ready": true, "reasons": []})),
        (
            Phase::Draining,
            503,
            json!({"ready": false, "reasons": ["draining"]}),
        ),
    ];

    for (phase, status, expected) in cases {
        readiness.enter(phase);

        for path in ["/ready", "/readyz"] {
            let (told, response) = ask(&admin, &format!("GET {path}"), &[LOCAL]).await;
            assert_eq!(
                (told.as_u16(), object(response).await),
                (status, expected.clone())
            );
        }
        for path in ["/live", "/healthz"] {
            assert_eq!(ask(&admin, &format!("GET {path}"), &[LOCAL]).await.0, 200);
        }
    }
}

#[tokio::test]
async fn the_state_is_told_without_secrets() {
    let house = house(None);

    let (status, response) = ask(&house.admin, "GET /api/state", &[LOCAL]).await;

    assert_eq!(status, 200);
    let mut state = object(response).await;
    assert!(state["uptime_s"].take().is_u64());
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "phase": "starting",
        "uptime_s": null,
        "routes": [{
            "name": "github", "host": null, "path": "/<script>", "ack": "buffered",
            "upstreams": ["ci"], "plugins": ["signature", "json-filter"],
        }],
        "upstreams": [{
            "name": "ci", "url": "http://ci.internal:8080/hooks",
            "in_flight": 3, "concurrency": 256, "breaker": "closed",
        }],
        "buffer": {"deliveries": 2, "deliveries_max": 100, "bytes": 4096, "bytes_max": 8192},
        "dead_letters": 1,
    });
    assert_eq!(state, expected);
}

#[tokio::test]
async fn metrics_come_in_the_format_that_is_asked_for() {
    let house = house(None);

    let open = [
        LOCAL,
        ("accept", "application/openmetrics-text;version=1.0.0"),
    ];
    let (_, open) = ask(&house.admin, "GET /metrics", &open).await;
    let (_, plain) = ask(&house.admin, "GET /metrics", &[LOCAL]).await;

    let kind = |response: &Response<_>| response.headers()["content-type"].clone();
    assert_eq!(
        kind(&open),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert_eq!(kind(&plain), "text/plain; version=0.0.4; charset=utf-8");
    let open = body(open).await;
    assert!(open.ends_with("# EOF\n"));
    assert!(open.contains("hookgate_dead_letters 1\n"));
    assert!(!body(plain).await.contains("# EOF"));
}

#[tokio::test]
async fn the_page_runs_nothing_and_escapes_what_it_shows() {
    let house = house(None);

    let (status, response) = ask(&house.admin, "GET /", &[LOCAL]).await;

    assert_eq!(status, 200);
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"));
    let html = body(response).await;
    assert!(
        html.contains("2 of 100 deliveries</a> and 4 KiB of 8 KiB wait"),
        "{html}"
    );
    assert!(
        html.contains("<code>/&lt;script&gt;</code><td>signature ▸ json-filter<td>buffered<td>ci")
    );
    assert!(!html.contains("<script"));
}

#[tokio::test]
async fn a_reload_tells_what_changed_or_what_is_wrong() {
    let House {
        admin,
        mut reloads,
        readiness: _readiness,
    } = house(None);
    let applied = ReloadOutcome::Applied {
        summary: "+ route alerts".to_owned(),
    };
    let refused = ReloadOutcome::Refused {
        problems: 2,
        report: "two things".to_owned(),
    };
    let cases = [
        (
            applied,
            200,
            json!({"result": "applied", "summary": "+ route alerts"}),
        ),
        (
            refused,
            422,
            json!({"result": "refused", "problems": 2, "report": "two things"}),
        ),
    ];

    for (outcome, status, expected) in cases {
        let server = async { reloads.recv().await.unwrap().outcome.send(outcome).unwrap() };
        let ((told, response), ()) =
            tokio::join!(ask(&admin, "POST /api/reload", &[LOCAL]), server);

        assert_eq!((told.as_u16(), object(response).await), (status, expected));
    }
}

#[tokio::test]
async fn a_second_reload_and_a_reload_at_the_end_are_told_to_come_back() {
    let House {
        admin,
        mut reloads,
        readiness: _readiness,
    } = house(None);

    let ((first, _), (second, _), ()) = tokio::join!(
        biased;
        ask(&admin, "POST /api/reload", &[LOCAL]),
        ask(&admin, "POST /api/reload", &[LOCAL]),
        async { drop(reloads.recv().await) },
    );
    drop(reloads);
    let (third, _) = ask(&admin, "POST /api/reload", &[LOCAL]).await;

    assert_eq!(
        [first, second, third].map(|status| status.as_u16()),
        [503; 3]
    );
}

#[tokio::test]
async fn what_is_not_there_is_404_and_the_wrong_method_405() {
    let house = house(None);
    let cases = [
        ("GET /nothing", 404, None),
        ("GET /api/state/", 404, None),
        ("GET /api/reload", 405, Some("POST")),
        ("POST /metrics", 405, Some("GET, HEAD")),
        ("DELETE /", 405, Some("GET, HEAD")),
        ("HEAD /metrics", 200, None),
    ];

    for (call, expected, allow) in cases {
        let (status, response) = ask(&house.admin, call, &[LOCAL]).await;

        assert_eq!(status, expected, "{call}");
        let told = response
            .headers()
            .get("allow")
            .map(|value| value.to_str().unwrap());
        assert_eq!(told, allow, "{call}");
    }
}

#[tokio::test]
async fn a_rebound_name_is_refused_where_no_token_protects() {
    let (open, guarded) = (house(None), house(Some("swordfish")));
    let cases = [
        (Some("127.0.0.1:9119"), 200),
        (Some("[::1]:9119"), 200),
        (Some("LocalHost:9119"), 200),
        (Some("localhost"), 200),
        (Some("localhost.evil.example"), 403),
        (Some("127.0.0.1.evil.example:9119"), 403),
        (Some("evil.example"), 403),
        (Some("user@evil.example"), 403),
        (Some(""), 403),
        (None, 403),
    ];

    for (host, expected) in cases {
        let fields: Vec<_> = host.map(|host| ("host", host)).into_iter().collect();
        assert_eq!(
            ask(&open.admin, "GET /api/state", &fields).await.0,
            expected,
            "{host:?}"
        );
    }
    let named = [
        ("host", "hooks.internal"),
        ("authorization", "Bearer swordfish"),
    ];
    assert_eq!(ask(&guarded.admin, "GET /api/state", &named).await.0, 200);
}

#[tokio::test]
async fn another_sites_page_cannot_reload() {
    let House {
        admin,
        reloads,
        readiness: _readiness,
    } = house(None);
    drop(reloads);
    // Who gets past the door hears that the server is gone.
    let cases: [(&[(&str, &str)], u16); 8] = [
        (&[], 503),
        (&[("sec-fetch-site", "same-origin")], 503),
        (&[("sec-fetch-site", "none")], 503),
        (&[("origin", "http://127.0.0.1:9119")], 503),
        (&[("sec-fetch-site", "same-site")], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("origin", "http://127.0.0.1:8080")], 403),
        (&[("origin", "null")], 403),
    ];

    for (fields, expected) in cases {
        let fields = [&[LOCAL], fields].concat();
        assert_eq!(
            ask(&admin, "POST /api/reload", &fields).await.0,
            expected,
            "{fields:?}"
        );
    }
}

#[tokio::test]
async fn the_token_opens_everything_and_probes_need_none() {
    let House {
        admin,
        reloads,
        readiness,
    } = house(Some("swordfish"));
    drop(reloads);
    readiness.enter(Phase::Ready);
    // `x:swordfish`, `x:swordfisk`, `swordfish`.
    let cases = [
        (Some("Bearer swordfish"), 200),
        (Some("bearer swordfish"), 200),
        (Some("Basic eDpzd29yZGZpc2g="), 200),
        (Some("Basic eDpzd29yZGZpc2s="), 401),
        (Some("Basic c3dvcmRmaXNo"), 401),
        (Some("Bearer swordfis"), 401),
        (Some("Bearer swordfish2"), 401),
        (Some("Bearer "), 401),
        (Some("swordfish"), 401),
        (None, 401),
    ];

    for (value, expected) in cases {
        let fields: Vec<_> = [LOCAL]
            .into_iter()
            .chain(value.map(|value| ("authorization", value)))
            .collect();
        for path in [
            "/",
            "/metrics",
            "/api/state",
            "/api/dead-letters",
            "/api/waiting",
            "/api/webhooks?id=wh_00000000000000000000000000000000",
            "/api/shadows",
        ] {
            let (status, _) = ask(&admin, &format!("GET {path}"), &fields).await;
            assert_eq!(status, expected, "{path} {value:?}");
        }
    }
    assert_eq!(ask(&admin, "POST /api/reload", &[LOCAL]).await.0, 401);
    for path in ["/live", "/ready", "/healthz", "/readyz"] {
        assert_eq!(ask(&admin, &format!("GET {path}"), &[LOCAL]).await.0, 200);
    }
}

#[tokio::test]
async fn no_answer_is_cached_sniffed_or_framed() {
    let house = house(None);

    for call in ["GET /", "GET /live", "GET /nothing", "GET /metrics"] {
        let (_, response) = ask(&house.admin, call, &[LOCAL]).await;

        assert_eq!(response.headers()["cache-control"], "no-store", "{call}");
        assert_eq!(
            response.headers()["x-content-type-options"],
            "nosniff",
            "{call}"
        );
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{call}");
    }
}

#[test]
fn admin_binds_to_others_only_with_a_token() {
    let bind = |address: &str, token: Option<&[u8]>| {
        let address: SocketAddr = address.parse().unwrap();
        let token = token.map(|token| Arc::new(Secret::new(token.to_vec())));
        Admin::bind(Settings { address, token }, TcpListener::bind)
    };

    let local = bind("127.0.0.1:0", None).unwrap();
    assert_ne!(local.address().port(), 0);
    assert!(bind("0.0.0.0:0", Some(b"swordfish")).is_ok());
    assert!(matches!(
        bind("127.0.0.1:0", Some(b"")),
        Err(BindError::EmptyToken)
    ));
    let exposed = bind("0.0.0.0:9119", None).unwrap_err();
    assert_eq!(
        exposed.to_string(),
        "admin on `0.0.0.0:9119` can be reached from other machines and has no token: \
         set `admin.token`, or listen on `127.0.0.1:9119`"
    );
    let taken = bind(&local.address().to_string(), None).unwrap_err();
    assert_eq!(
        taken.to_string(),
        format!(
            "cannot bind admin to `{}` (`admin.listen`, or --admin, names another address)",
            local.address()
        )
    );
}
