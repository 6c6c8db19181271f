//! What is said at level `info` about deliveries and about who moved them.

use super::*;
use crate::telemetry::{Operator, OperatorEvent};

/// What follows the time.
fn said(work: impl FnOnce(&Telemetry, WebhookId)) -> String {
    let text = log(Format::Text, Colour::Off, "info", |id| {
        work(&Telemetry::new(), id);
    });
    let lines = text.lines().map(|line| line.split_once("Z ").unwrap().1);
    lines.map(|line| format!("{line}\n")).collect()
}

fn attempted(telemetry: &Telemetry, id: WebhookId, attempt: u32) {
    telemetry.emit(&Event::Attempted {
        id,
        route: "github",
        upstream: &telemetry.upstream("ci"),
        attempt,
        outcome: "delivered",
        status: Some(200),
        reason: None,
        took: TOOK,
    });
}

#[test]
fn a_delivery_is_told_at_info_where_a_failure_came_before_it() {
    assert_eq!(said(|telemetry, id| attempted(telemetry, id, 1)), "");
    assert_eq!(
        said(|telemetry, id| attempted(telemetry, id, 2)),
        " INFO attempt delivered id=wh_1 route=github upstream=ci attempt=2 status=200 took_ms=12.4\n"
    );
}

#[test]
fn what_is_held_beyond_its_senders_patience_is_told_at_info() {
    let held = |attempts, reason| {
        said(|telemetry, id| {
            telemetry.emit(&Event::Held {
                id,
                route: "github",
                upstream: "ci",
                attempts,
                reason,
            });
        })
    };

    assert_eq!(
        held(2, Some("answered 503")),
        " INFO delivery held id=wh_1 route=github upstream=ci attempts=2 reason=\"answered 503\"\n"
    );
    assert_eq!(
        held(0, None),
        " INFO delivery held id=wh_1 route=github upstream=ci attempts=0\n"
    );
}

#[test]
fn a_backlog_that_goes_out_does_not_fill_the_disk() {
    let lines = said(|telemetry, id| (0..1_000).for_each(|_| attempted(telemetry, id, 2)));

    // The loop may cross a second or two on a busy machine, never nine.
    assert!((100..900).contains(&lines.lines().count()));
}

#[test]
fn who_moves_dead_letters_is_on_record() {
    let by = |name| Operator {
        address: SENDER,
        name,
    };
    let told = |event| said(|telemetry, _| telemetry.emit(&Event::Operator(event)));

    let replayed = told(OperatorEvent::Replayed {
        by: by(Some("ada")),
        which: "route=github",
        to: Some("other"),
        replayed: 3,
        kept: 1,
    });
    let discarded = told(OperatorEvent::Discarded {
        by: by(None),
        which: "all",
        discarded: 2,
    });
    let reload = told(OperatorEvent::ReloadAsked { by: by(None) });

    assert_eq!(
        replayed,
        " INFO dead letters replayed operator=ada from=140.82.115.9 which=\"route=github\" to=other \
         replayed=3 kept=1\n"
    );
    assert_eq!(
        discarded,
        " INFO dead letters discarded from=140.82.115.9 which=all discarded=2\n"
    );
    assert_eq!(reload, " INFO reload asked for from=140.82.115.9\n");
}

#[test]
fn what_a_reload_leaves_without_a_place_is_told_and_counted_while_it_has_none() {
    let mut counted = Vec::new();
    let said = said(|telemetry, id| {
        let stranded = Event::Stranded {
            id,
            route: "github",
            upstream: "gone",
        };
        for event in [&stranded, &stranded, &Event::Unstranded] {
            telemetry.emit(event);
            let page = page(telemetry);
            let mut lines = page
                .lines()
                .filter_map(|l| l.split_once("deliveries_stranded "));
            counted.push(lines.next_back().unwrap().1.to_owned());
        }
    });

    let line = " WARN delivery stranded: its route or its upstream is gone from the configuration id=wh_1 \
                route=github upstream=gone\n";
    assert_eq!(said, line.repeat(2));
    assert_eq!(counted, ["1", "2", "1"]);
}
