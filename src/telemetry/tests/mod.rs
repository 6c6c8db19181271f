//! Goldens: the lines and the page that operators see, for events as the rooms emit them.

mod delivery;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::uri::PathAndQuery;
use jiff::Timestamp;
use tracing::Level;
use tracing_subscriber::EnvFilter;

use super::log::{Colour, Format, Lines};
use super::{EndEvent, Event, Exposition, SpoolEvent, Telemetry};
use crate::message::Fields;
use crate::webhook::{Arrival, Scheme, Webhook, WebhookId};

const TOOK: Duration = Duration::from_micros(12_400);
const SENDER: IpAddr = IpAddr::V4(Ipv4Addr::new(140, 82, 115, 9));

/// What was written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log while `work` runs, ids replaced by `wh_1`.
fn log(format: Format, colour: Colour, filter: &str, work: impl FnOnce(WebhookId)) -> String {
    let paper = Paper::default();
    let ink = paper.clone();
    let clock = || "2026-11-20T20:17:02.53Z".parse::<Timestamp>().unwrap();
    let subscriber = tracing_subscriber::fmt()
        .event_format(Lines {
            format,
            colour,
            clock,
        })
        .with_writer(move || ink.clone())
        .with_env_filter(EnvFilter::new(filter))
        .finish();
    let id = WebhookId::new(Arrival::now());
    tracing::subscriber::with_default(subscriber, || work(id));
    let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    text.replace(&id.to_string(), "wh_1")
}

fn webhook(id: WebhookId) -> Webhook {
    Webhook {
        id,
        route: "github".into(),
        method: Method::POST,
        target: PathAndQuery::from_static("/github?token=hunter2"),
        authority: None,
        scheme: Scheme::Https,
        fields: Fields::default(),
        body: Bytes::from_static(b"hunter2"),
        arrival: Arrival::now(),
        sender: SENDER,
        public_url: None,
    }
}

/// One event of each kind of line.
#[expect(clippy::too_many_lines, reason = "one list: an event of each kind")]
fn a_day(telemetry: &Telemetry, id: WebhookId) {
    let webhook = webhook(id);
    let route = telemetry.route("github");
    let upstream = telemetry.upstream("ci");
    let plugin = telemetry.plugin("signature", "github");
    plugin.serves("verify");
    plugin.holds("hmac", "env:OLD");
    let answered = |status, outcome, reason: Option<&'static str>| Event::Answered {
        webhook: &webhook,
        route: &route,
        status,
        outcome,
        plugin: reason.map(|_| "signature"),
        reason,
        took: TOOK,
    };
    let attempted = |outcome, status, reason| Event::Attempted {
        id,
        route: "github",
        upstream: &upstream,
        attempt: 1,
        outcome,
        status,
        reason,
        took: TOOK,
    };
    let events = [
        Event::Listening {
            listener: "admin",
            address: "127.0.0.1:9119".parse().unwrap(),
            tls: false,
        },
        Event::Warning {
            message: "route `github` keeps what waits in memory",
        },
        Event::ConnectionOpened,
        Event::HandshakeFailed {
            peer: SENDER,
            reason: "no shared cipher",
        },
        Event::AcceptFailed {
            reason: "too many open files",
        },
        Event::Unrouted {
            id,
            sender: SENDER,
            status: 404,
            reason: "no route",
        },
        Event::Judged {
            plugin: &plugin,
            stage: "verify",
            verdict: "accept",
            took: TOOK,
            memory: 0,
        },
        Event::KeyMatched {
            id,
            plugin: &plugin,
            key: "hmac",
            label: "env:NEW",
        },
        attempted("delivered", Some(200), None),
        answered(200, "delivered", None),
        answered(401, "rejected", Some("signature differs")),
        Event::PluginFailed {
            id,
            plugin: &plugin,
            stage: "verify",
            kind: "time",
            detail: "out of time after 10 ms",
            policy: "refuse",
        },
        Event::GuestSaid {
            id,
            plugin: &plugin,
            level: Level::WARN,
            message: "old key",
            fields: &[("age".to_owned(), "9 d".to_owned())],
        },
        attempted("status", Some(503), None),
        attempted("timeout", None, Some("no head within 15 s")),
        Event::Waiting {
            id,
            upstream: &upstream,
            attempt: 1,
            next_in: TOOK,
        },
        Event::Buffered {
            deliveries: 2,
            bytes: 4_096,
        },
        answered(503, "full", None),
        Event::GaveUp {
            id,
            route: &route,
            upstream: &upstream,
            attempts: 3,
            reason: "410",
        },
        Event::DeadLetters { kept: 1 },
        Event::KeysFetched {
            source: "https://example.com/keys",
            keys: 2,
            took: TOOK,
        },
        Event::KeysNotFetched {
            source: "https://example.com/keys",
            reason: "answers 503",
        },
        Event::Reloaded {
            took: TOOK,
            summary: "+ route alerts",
        },
        Event::ReloadRefused {
            problems: 1,
            report: "error: unknown key `ack2`\n 3 | ack2 = 1",
        },
        Event::End(EndEvent::Draining {
            connections: 1,
            deliveries: 2,
            grace: Duration::from_secs(30),
        }),
        Event::End(EndEvent::LeftBehind {
            id,
            route: "github",
            upstream: "ci",
        }),
        Event::End(EndEvent::LetterLost {
            id,
            route: "github",
            upstream: "ci",
        }),
        Event::Spool(SpoolEvent::Opened {
            deliveries: 3,
            dead_letters: 1,
            stranded: 1,
            was_cut: true,
            took: TOOK,
        }),
        Event::Spool(SpoolEvent::Stranded {
            id: Some(id),
            route: "gone",
            upstream: "ci",
            reason: "there is no such route",
        }),
        Event::Spool(SpoolEvent::StrandedInAll { deliveries: 1 }),
        Event::Spool(SpoolEvent::Failed {
            reason: "No space left on device",
            is_lasting: false,
        }),
        Event::Spool(SpoolEvent::Unwritten { operations: 3 }),
        Event::Spool(SpoolEvent::Recovered),
        Event::Spool(SpoolEvent::Unwritten { operations: 2 }),
        Event::Spool(SpoolEvent::Committed { operations: 64 }),
        Event::End(EndEvent::Drained {
            kept: 0,
            left: 1,
            letters: 1,
            took: TOOK,
        }),
    ];
    for event in &events {
        telemetry.emit(event);
    }
}

#[test]
fn a_day_in_text() {
    let text = log(Format::Text, Colour::Off, "trace", |id| {
        a_day(&Telemetry::new(), id);
    });

    assert_eq!(text, include_str!("../goldens/day.txt"));
}

#[test]
fn a_day_in_json() {
    let json = log(Format::Json, Colour::Off, "trace", |id| {
        a_day(&Telemetry::new(), id);
    });

    assert_eq!(json, include_str!("../goldens/day.json"));
    for line in json.lines() {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).unwrap();
        assert!(
            !object
                .values()
                .any(|value| value.is_object() || value.is_array()),
            "{line}"
        );
    }
}

#[test]
fn bodies_and_targets_are_never_logged() {
    let text = log(Format::Text, Colour::Off, "trace", |id| {
        a_day(&Telemetry::new(), id);
    });

    assert!(!text.contains("hunter2"));
}

#[test]
fn ordinary_successes_are_silent_at_info() {
    let lines = log(Format::Text, Colour::Off, "info", |id| {
        let telemetry = Telemetry::new();
        let (webhook, route) = (webhook(id), telemetry.route("github"));
        for (status, outcome) in [(200, "delivered"), (401, "rejected")] {
            telemetry.emit(&Event::Answered {
                webhook: &webhook,
                route: &route,
                status,
                outcome,
                plugin: None,
                reason: None,
                took: TOOK,
            });
        }
    });

    assert_eq!(lines.lines().count(), 1);
    assert!(lines.contains("webhook rejected"));
}

#[test]
fn a_stranger_cannot_write_to_the_terminal_nor_start_a_line() {
    let hostile = "x\x1b[2J\n2026-11-20T20:17:02.530Z  INFO all is well\u{9b}31m";
    let event = Event::HandshakeFailed {
        peer: SENDER,
        reason: hostile,
    };

    for format in [Format::Text, Format::Json] {
        let lines = log(format, Colour::Off, "info", |_| {
            Telemetry::new().emit(&event);
        });

        assert_eq!(lines.lines().count(), 1);
        assert!(
            !lines.trim_end().contains(|c: char| c.is_control()),
            "{lines:?}"
        );
    }
}

#[test]
fn a_guest_cannot_pass_for_us() {
    let lines = log(Format::Json, Colour::Off, "info", |id| {
        let telemetry = Telemetry::new();
        telemetry.emit(&Event::GuestSaid {
            id,
            plugin: &telemetry.plugin("card", "alerts"),
            level: Level::INFO,
            message: "ready\",\"level\":\"error",
            fields: &[("msg".to_owned(), "drained\" x=\"1".to_owned())],
        });
    });

    let line: serde_json::Value = serde_json::from_str(&lines).unwrap();
    assert_eq!(line["msg"], "plugin said");
    assert_eq!(line["level"], "info");
    assert_eq!(line["said"], "ready\",\"level\":\"error");
    assert_eq!(line["with"], r#"msg="drained\" x=\"1""#);
}

#[test]
fn only_the_level_is_coloured() {
    let event = Event::Warning { message: "beware" };

    let line = log(Format::Text, Colour::On, "info", |_| {
        Telemetry::new().emit(&event);
    });

    assert_eq!(
        line,
        "2026-11-20T20:17:02.530Z \x1b[33m WARN\x1b[0m beware\n"
    );
}

#[test]
fn a_flood_is_cut_and_accounted_for() {
    let telemetry = Telemetry::new();

    let lines = log(Format::Text, Colour::Off, "info", |id| {
        for _ in 0..1_000 {
            telemetry.emit(&Event::Unrouted {
                id,
                sender: SENDER,
                status: 404,
                reason: "no route",
            });
        }
        telemetry.report_suppressed();
    });

    let written = lines
        .lines()
        .filter(|line| line.contains("call unrouted"))
        .count() as u64;
    let page = telemetry.exposition(Exposition::OpenMetrics);
    let suppressed = 1_000 - written;
    // The loop may cross a second or two on a busy machine, never nine.
    assert!((100..900).contains(&written), "{written}");
    assert!(
        lines.contains("log lines suppressed kind=unrouted"),
        "{lines}"
    );
    assert!(
        page.contains("hookgate_unrouted_total{status=\"404\"} 1000\n"),
        "{page}"
    );
    let counter =
        format!("hookgate_log_lines_suppressed_total{{kind=\"unrouted\"}} {suppressed}\n");
    assert!(page.contains(&counter), "{page}");
}

/// The page without the process's own numbers, the version and the clock.
fn page(telemetry: &Telemetry) -> String {
    let text = telemetry.exposition(Exposition::OpenMetrics);
    let changing = |line: &&str| {
        !line.contains("process_")
            && !line.starts_with("hookgate_build_info{")
            && !line.starts_with("hookgate_config_last_reload_success_timestamp_seconds ")
    };
    text.lines()
        .filter(changing)
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn the_page_of_a_day() {
    let telemetry = Telemetry::new();
    let route = telemetry.route("github");
    let _held = (
        telemetry.upstream("ci"),
        telemetry.plugin("signature", "github"),
    );

    a_day(&telemetry, WebhookId::new(Arrival::now()));

    assert_eq!(page(&telemetry), include_str!("../goldens/day.metrics"));
    drop(route);
}

#[test]
fn every_series_of_a_configured_name_exists_before_the_first_webhook() {
    let telemetry = Telemetry::new();
    let _route = telemetry.route("github");
    let _upstream = telemetry.upstream("ci");
    let plugin = telemetry.plugin("signature", "github");
    plugin.serves("verify");
    plugin.holds("hmac", "env:NEW");

    let page = page(&telemetry);

    for series in [
        r#"hookgate_webhooks_total{route="github",outcome="delivered",class="2xx"} 0"#,
        r#"hookgate_webhooks_total{route="github",outcome="unavailable",class="5xx"} 0"#,
        r#"hookgate_webhook_duration_seconds_count{route="github"} 0"#,
        r#"hookgate_plugin_verdicts_total{plugin="signature",route="github",stage="verify",verdict="reject"} 0"#,
        r#"hookgate_plugin_failures_total{plugin="signature",route="github",kind="time"} 0"#,
        r#"hookgate_keys_matched_total{plugin="signature",route="github",key="hmac",label="env:NEW"} 0"#,
        r#"hookgate_delivery_attempts_total{upstream="ci",outcome="timeout"} 0"#,
        "hookgate_deliveries_lost_total 0",
        r#"hookgate_reloads_total{result="refused"} 0"#,
    ] {
        assert!(
            page.lines().any(|line| line == series),
            "{series} is missing in\n{page}"
        );
    }
    assert!(
        !page.contains("stage=\"transform\""),
        "a stage that is not served has no series"
    );
}

#[test]
fn a_removed_route_leaves_the_page_with_its_last_user() {
    let telemetry = Telemetry::new();
    let (stays, goes) = (telemetry.route("stays"), telemetry.route("goes"));
    let in_flight = Arc::clone(&goes);

    drop(goes);
    assert!(page(&telemetry).contains("route=\"goes\""));
    drop(in_flight);

    let page = page(&telemetry);
    assert!(!page.contains("route=\"goes\""));
    assert!(page.contains("route=\"stays\""));
    drop(stays);
}

#[test]
fn a_hostile_label_stays_within_its_quotes() {
    let telemetry = Telemetry::new();
    let _route = telemetry.route("a\"} 1\nevil 1");

    assert!(
        !page(&telemetry)
            .lines()
            .any(|line| line.starts_with("evil"))
    );
}

#[test]
fn the_process_shows_its_own_numbers_where_there_are_any() {
    let page = Telemetry::new().exposition(Exposition::Plain);

    let shown = page.contains("process_resident_memory_bytes ");
    assert_eq!(shown, std::path::Path::new("/proc/self/stat").exists());
    assert!(page.contains("# TYPE hookgate_deliveries_lost_total counter\n"));
    assert!(!page.contains("# EOF"));
}
