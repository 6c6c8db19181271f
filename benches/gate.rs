//! What the parts of the gate cost one webhook, without sockets where that can be: the lookup of its
//! route, the check of its signature in a fresh sandbox, its way through delivery.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench fails by panicking"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use hookgate::delivery::{
    Ack, Acknowledgement, Answer, Bounds, Buffer, Commons, Contract, DeadLetters, Delivery,
    Dispatch, Duplicates, Keeping, Outcome, Policy, Road, Signers, Upstream, UpstreamSettings,
    UpstreamUrl,
};
use hookgate::drain::{Drain, Watch};
use hookgate::message::Fields;
use hookgate::plugin::{
    Accepted, Catalog, Chain, Engine, Grants, Key, Keyring, Limits, OnFailure, Settings, Source,
    Step, Verdict,
};
use hookgate::route::{Found, Methods, Pattern, Table};
use hookgate::secret::Secret;
use hookgate::telemetry::Telemetry;
use hookgate::webhook::{Arrival, Scheme, Webhook, WebhookId};
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SECRET: &[u8] = b"what-the-benchmark-signs-with";

/// A median GitHub webhook, as in `benches/peers`.
const BODY_BYTES: usize = 2048;

fn lookup(criterion: &mut Criterion) {
    for count in [10_usize, 1_000] {
        let table = Table::build((0..count).map(route).collect()).unwrap();
        // From the middle; the even ones take a parameter.
        let team = count / 4 * 2;
        let path = format!("/team-{team}/github/repo-7");
        criterion.bench_function(&format!("route lookup among {count}"), |bencher| {
            bencher.iter(|| {
                let found =
                    table.lookup(Some("hooks.example.com"), &Method::POST, black_box(&path));
                assert!(matches!(found, Found::Route(_)));
            });
        });
    }
}

/// Half of the routes take a parameter, as a route for all repositories of a team would.
fn route(number: usize) -> (Pattern, usize) {
    let path = match number % 2 {
        0 => format!("/team-{number}/github/{{repository}}"),
        _ => format!("/team-{number}/stripe"),
    };
    let pattern = Pattern {
        host: None,
        path: path.into(),
        methods: Methods::new(vec![Method::POST]),
    };
    (pattern, number)
}

fn signature(criterion: &mut Criterion) {
    let engine = Engine::new(&Settings::default()).unwrap();
    let catalog = Catalog::new(engine);
    let source = Source::Bundled("signature");
    let grants = Grants {
        signing: vec!["keys".into()],
        ..Grants::default()
    };
    let plugin = catalog.load("signature", &source, Limits::default(), &grants);
    let telemetry = Telemetry::new();
    let key = Key::new("env:BENCH_SECRET", Secret::new(SECRET.to_vec()));
    let chain = Chain::new(vec![Step {
        plugin: plugin.unwrap(),
        config: GITHUB.into(),
        keys: Keyring::from_iter([("keys".into(), vec![Arc::new(key)])]),
        signing: Vec::new(),
        on_failure: OnFailure::Refuse,
        meters: telemetry.plugin("signature", "hook"),
    }]);
    let webhook = webhook();
    let runtime = runtime();
    criterion.bench_function("signature plugin, 2 KiB", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let begun = Instant::now();
                for _ in 0..times {
                    accepted(&chain, &webhook, &telemetry).await;
                }
                begun.elapsed()
            })
        });
    });
}

/// The preset `github`, as the configuration hands it to the plugin.
const GITHUB: &str = r#"{
    "algorithm": "hmac-sha256",
    "encoding": "hex",
    "signature": { "header": "x-hub-signature-256", "prefix": "sha256=" },
    "signed": "{body}",
    "event": { "header": "x-github-event" },
    "keys": "keys"
}"#;

/// A place in the route's share and in the whole, taken and given back.
fn buffer(criterion: &mut Criterion) {
    let share = Buffer::new(Bounds::default()).share(Bounds::default());
    criterion.bench_function("buffer admit and settle", |bencher| {
        bencher.iter(|| share.admit_one(black_box(4_096)).unwrap());
    });
}

/// Takes everything at once.
#[derive(Debug)]
struct Nowhere;

impl Road for Nowhere {
    async fn attempt(
        &self,
        _: &Delivery,
        _: usize,
        _: Option<Instant>,
        _: &Watch,
        _: &Telemetry,
    ) -> Outcome {
        Outcome::Delivered(Answer {
            status: StatusCode::OK,
            fields: Fields::default(),
            body: Bytes::new(),
        })
    }
}

/// All that delivery does for a webhook but the attempt itself, with a body of 1 KiB. Admitted: a place in
/// the buffer, its dedupe key claimed and accepted, packed, into the schedule; the sender may be told 202.
/// Settled: out of the schedule, past the upstream's entrance, unpacked, a task for its attempt, its end
/// noted, its place given back.
fn keeping(criterion: &mut Criterion) {
    /// Held at once: more than the caches of a core have room for.
    const HELD: u64 = 10_000;
    let engine = Engine::new(&Settings::default()).unwrap();
    let source = Source::Bundled("dedupe");
    let (limits, grants) = (Limits::default(), Grants::default());
    let plugin = Catalog::new(engine).load("dedupe", &source, limits, &grants);
    let telemetry = Telemetry::new();
    let with_a_key = Chain::new(vec![Step {
        plugin: plugin.unwrap(),
        config: r#"{ "header": "x-github-delivery" }"#.into(),
        keys: Keyring::default(),
        signing: Vec::new(),
        on_failure: OnFailure::Refuse,
        meters: telemetry.plugin("dedupe", "hook"),
    }]);
    let without = Chain::new(Vec::new());
    let runtime = runtime();
    for (chain, named) in [(without, "1 KiB"), (with_a_key, "1 KiB with a dedupe key")] {
        let (buffer, contract) = contract(Ack::Early, 1, &telemetry);
        let drain = Drain::new();
        let commons = commons(&buffer, &telemetry);
        let dispatch = Dispatch::over(Nowhere, 0, commons, drain.watch());
        // How long admitting took, and settling.
        let round = async |count: u64| {
            let mut all = Vec::new();
            for _ in 0..count {
                all.push(accepted(&chain, &small_webhook(), &telemetry).await);
            }
            let begun = Instant::now();
            for accepted in all {
                let told = dispatch.hand_over(accepted, &contract).await;
                assert_eq!(told, Acknowledgement::Held);
            }
            let admitted = begun.elapsed();
            assert_eq!(dispatch.waiting() as u64, count);
            let begun = Instant::now();
            while buffer.fill() != (0, 0) {
                tokio::task::yield_now().await;
            }
            (admitted, begun.elapsed())
        };
        let rounds = async |mut times: u64| {
            let mut sums = (Duration::ZERO, Duration::ZERO);
            while times > 0 {
                let count = times.min(HELD);
                let (admitted, settled) = round(count).await;
                sums = (sums.0 + admitted, sums.1 + settled);
                times -= count;
            }
            sums
        };
        criterion.bench_function(&format!("admit, {named}"), |bencher| {
            bencher.iter_custom(|times| runtime.block_on(rounds(times)).0);
        });
        criterion.bench_function(&format!("settle, {named}"), |bencher| {
            bencher.iter_custom(|times| runtime.block_on(rounds(times)).1);
        });
    }
}

/// A buffer, and a contract over it with an upstream at `port`.
fn contract(ack: Ack, port: u16, telemetry: &Telemetry) -> (Buffer, Arc<Contract>) {
    let url = UpstreamUrl::parse(&format!("http://127.0.0.1:{port}")).unwrap();
    let settings = UpstreamSettings::new("up".into(), url);
    let upstream = Upstream::new(settings, 1, telemetry.upstream("up")).unwrap();
    let buffer = Buffer::new(Bounds::default());
    let contract = Contract {
        ack,
        deadline: Duration::from_secs(10),
        policy: Policy::default(),
        upstreams: vec![Arc::new(upstream)],
        share: buffer.share(Bounds::default()),
        meters: telemetry.route("hook"),
        signers: Signers::new(),
    };
    (buffer, Arc::new(contract))
}

fn commons(buffer: &Buffer, telemetry: &Telemetry) -> Commons {
    Commons {
        buffer: buffer.clone(),
        dead: Arc::new(DeadLetters::new()),
        duplicates: Arc::new(Duplicates::new()),
        telemetry: telemetry.clone(),
        keeping: Keeping::Memory,
    }
}

/// Admitted to the buffer, attempted, settled. The attempt goes over loopback to a peer in the same
/// thread, whose system calls are in the figure.
fn delivery(criterion: &mut Criterion) {
    let runtime = runtime();
    let port = runtime.block_on(upstream());
    let telemetry = Telemetry::new();
    let (buffer, contract) = contract(Ack::Upstream, port, &telemetry);
    let drain = Drain::new();
    let dispatch = Dispatch::new(0, commons(&buffer, &telemetry), drain.watch());
    let nobody_asked = Chain::new(Vec::new());
    let webhook = webhook();
    criterion.bench_function("delivery over loopback, 2 KiB", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let begun = Instant::now();
                for _ in 0..times {
                    let accepted = accepted(&nobody_asked, &webhook, &telemetry).await;
                    let told = dispatch.hand_over(accepted, &contract).await;
                    assert!(matches!(told, Acknowledgement::Answered(_)));
                }
                begun.elapsed()
            })
        });
    });
    assert_eq!(buffer.fill(), (0, 0));
}

/// Answers whatever comes with 200, one connection after the other; returns its port.
async fn upstream() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    Drain::new().watch().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut webhook = Vec::with_capacity(2 * BODY_BYTES);
            while let Ok(1..) = stream.read_buf(&mut webhook).await {
                // The body is the only thing with a brace in it, and ends with one.
                if webhook.ends_with(b"}") {
                    webhook.clear();
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    stream.write_all(answer).await.unwrap();
                }
            }
        }
    });
    port
}

async fn accepted(chain: &Chain, webhook: &Arc<Webhook>, telemetry: &Telemetry) -> Accepted {
    match chain.judge(webhook, &[], telemetry).await {
        Ok(Verdict::Accepted(accepted)) => accepted,
        other => panic!("{other:?}"),
    }
}

fn webhook() -> Arc<Webhook> {
    webhook_of(BODY_BYTES, "3f9c1e52-7c1f-11ef-8d4e-2b1c7a90e6d5")
}

/// One that never came before.
fn small_webhook() -> Arc<Webhook> {
    webhook_of(1_024, WebhookId::new(Arrival::now()).text().as_str())
}

fn webhook_of(body_bytes: usize, delivery: &str) -> Arc<Webhook> {
    let text = "it was signed, and it came back with a 401; "
        .chars()
        .cycle();
    let text: String = text.take(body_bytes - r#"{"text":""}"#.len()).collect();
    let body = format!(r#"{{"text":"{text}"}}"#);
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), body.as_bytes());
    let mut signature = "sha256=".to_owned();
    for byte in mac.as_ref() {
        write!(signature, "{byte:02x}").unwrap();
    }
    let fields = BTreeMap::from([
        ("accept", "*/*"),
        ("content-type", "application/json"),
        ("user-agent", "GitHub-Hookshot/0a1b2c3"),
        ("x-github-delivery", delivery),
        ("x-github-event", "issues"),
        ("x-github-hook-id", "504114113"),
        ("x-github-hook-installation-target-id", "81472996"),
        ("x-github-hook-installation-target-type", "repository"),
        ("x-hub-signature-256", &signature),
    ]);
    let arrival = Arrival::now();
    Arc::new(Webhook {
        id: WebhookId::new(arrival),
        route: "hook".into(),
        method: Method::POST,
        target: "/hook".parse().unwrap(),
        authority: Some("hooks.example.com".into()),
        scheme: Scheme::Https,
        fields: fields.into_iter().collect(),
        body: Bytes::from(body),
        arrival,
        sender: IpAddr::V4(Ipv4Addr::LOCALHOST),
        public_url: None,
    })
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

criterion_group!(benches, lookup, signature, buffer, keeping, delivery);
criterion_main!(benches);
