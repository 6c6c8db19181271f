//! Every verdict of every stage, as the gate sees it.

use std::sync::Arc;

use hookgate::plugin::{Chain, Grants, OnFailure, Response, Verdict};
use hookgate::telemetry::Telemetry;
use hookgate::webhook::{Change, Overlay};
use http::{HeaderName, HeaderValue, StatusCode};

use super::world::{BODY, LIMITS, MAC, World, accepted, chain, judge, step, webhook, webhook_with};

const GITHUB: &str = r#"{"keys": "main", "algorithm": "hmac-sha256", "encoding": "hex",
    "signature": {"header": "x-hub-signature-256", "prefix": "sha256="}}"#;

#[tokio::test]
async fn an_empty_chain_lets_everything_through_unchanged() {
    let chain = Chain::new(Vec::new());

    assert!(chain.is_empty() && !chain.verifies());
    assert_eq!(
        accepted(judge(&chain).await).overlays(),
        [Overlay::default()]
    );
}

#[tokio::test]
async fn a_right_signature_is_accepted_and_its_neighbours_are_not() {
    let world = World::new();
    let mut signature = step(&world.bundled("signature"));
    signature.config = GITHUB.into();
    let chain = Chain::new(vec![signature]);
    assert!(chain.verifies());
    let telemetry = Telemetry::new();

    let right = accepted(chain.judge(&webhook(), &[], &telemetry).await);
    assert_eq!(right.overlays(), [Overlay::default()]);

    let mac = format!("sha256={MAC}");
    let other = format!("sha256={}8", MAC.strip_suffix('7').unwrap());
    for (fields, body) in [
        (vec![("x-hub-signature-256", mac.as_str())], "Hello, World?"),
        (vec![("x-hub-signature-256", other.as_str())], BODY),
        (vec![("x-hub-signature-256", "sha256=")], BODY),
        (vec![("x-hub-signature-256", MAC)], BODY),
        (vec![], BODY),
    ] {
        let verdict = chain
            .judge(&webhook_with(&fields, body), &[], &telemetry)
            .await;
        let Ok(Verdict::Rejected { status, .. }) = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(status, 401, "{fields:?}");
    }
}

#[tokio::test]
async fn a_rejection_keeps_its_status_only_if_it_refuses() {
    let world = World::new();

    for (guest, status, reason) in [("reject", 401, "forged"), ("reject-200", 403, "odd")] {
        let verdict = judge(&chain(&[&world.guest(guest)])).await;
        let Ok(Verdict::Rejected {
            plugin,
            status: is,
            reason: why,
        }) = verdict
        else {
            panic!("{verdict:?}")
        };
        assert_eq!((&*plugin, is, why.as_str()), (guest, status, reason));
    }
}

#[tokio::test]
async fn an_answer_loses_the_fields_that_are_not_its_own() {
    let world = World::new();

    let verdict = judge(&chain(&[&world.guest("respond")])).await;

    let Ok(Verdict::Responded { response, .. }) = verdict else {
        panic!("{verdict:?}")
    };
    let field = (
        HeaderName::from_static("x-test"),
        HeaderValue::from_static("1"),
    );
    let body = "pong".into();
    assert_eq!(
        response,
        Response {
            status: StatusCode::OK,
            fields: vec![field],
            body
        }
    );
}

#[tokio::test]
async fn a_filter_drops_and_says_why() {
    let world = World::new();

    let verdict = judge(&chain(&[&world.guest("accept"), &world.guest("drop")])).await;

    let Ok(Verdict::Dropped { plugin, reason }) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!((&*plugin, reason.as_str()), ("drop", "boring"));
}

#[tokio::test]
async fn a_verdict_of_verify_comes_first_wherever_it_stands() {
    let world = World::new();

    let verdict = judge(&chain(&[&world.guest("drop"), &world.guest("reject")])).await;

    assert!(
        matches!(verdict, Ok(Verdict::Rejected { .. })),
        "{verdict:?}"
    );
}

#[tokio::test]
async fn only_returned_deliveries_count() {
    let world = World::new();

    let accepted = accepted(judge(&chain(&[&world.guest("deliver")])).await);

    let kind = (
        HeaderName::from_static("x-kind"),
        HeaderValue::from_static("ci"),
    );
    let first = Overlay {
        part: 1,
        changes: vec![Change::Set(kind.0, kind.1)],
        upstream: Some("ci".into()),
        ..Overlay::default()
    };
    let second = Overlay {
        part: 2,
        body: Some("el".into()),
        ..Overlay::default()
    };
    assert_eq!(accepted.overlays(), [first, second]);
    let whole = accepted.webhook().body.as_ptr_range();
    let part = accepted.overlays()[1].body.as_ref().unwrap().as_ptr();
    assert!(
        whole.contains(&part),
        "a slice is a part of the body and no copy"
    );
}

#[tokio::test]
async fn no_delivery_is_a_drop() {
    let world = World::new();

    let verdict = judge(&chain(&[&world.guest("deliver-nothing")])).await;

    let Ok(Verdict::Dropped { reason, .. }) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(reason, "it made no delivery");
}

#[tokio::test]
async fn a_transform_after_a_fan_out_is_refused() {
    let world = World::new();

    let failure = judge(&chain(&[
        &world.guest("deliver"),
        &world.guest("deliver-nothing"),
    ]))
    .await
    .unwrap_err();

    assert_eq!(
        failure.to_string(),
        "plugin `deliver-nothing` failed in transform: an earlier transform made 2 deliveries, and only one can be transformed again; let the plugin that makes several be the last"
    );
}

#[tokio::test]
async fn one_instance_serves_all_stages_of_a_webhook_and_no_other_webhook() {
    let world = World::new();
    let chain = chain(&[&world.guest("stages")]);

    for _ in 0..2 {
        assert_eq!(accepted(judge(&chain).await).overlays().len(), 2);
    }
}

#[tokio::test]
async fn a_note_names_the_event_unless_its_stage_failed() {
    let world = World::new();
    let skipping = |guest: &str| {
        let mut step = step(&world.guest(guest));
        step.on_failure = OnFailure::Skip;
        Chain::new(vec![step])
    };

    let kept = accepted(judge(&skipping("note")).await);
    let lost = accepted(judge(&skipping("note-failing")).await);

    assert_eq!(kept.event().map(|event| &**event), Some("push"));
    assert_eq!(lost.event(), None);
}

#[tokio::test]
async fn a_failing_filter_refuses_by_default() {
    let world = World::new();

    let failure = judge(&chain(&[&world.guest("note-failing")]))
        .await
        .unwrap_err();

    assert_eq!(
        failure.to_string(),
        "plugin `note-failing` failed in filter: it cannot handle this webhook: event"
    );
}

#[tokio::test]
async fn a_verify_stage_cannot_be_skipped() {
    let world = World::new();
    let mut step = step(&world.guest("temporary"));
    step.on_failure = OnFailure::Skip;

    let failure = judge(&Chain::new(vec![step])).await.unwrap_err();

    assert!(failure.kind.is_temporary());
    assert_eq!(
        failure.to_string(),
        r#"plugin `temporary` failed in verify: it asks for a later attempt: no\nkeys \"x\""#
    );
}

#[tokio::test]
async fn a_key_that_is_not_given_is_not_known() {
    let world = World::new();

    let verdict = judge(&chain(&[&world.guest("unknown-key")])).await;

    // `err(unknown-key)`: discriminant 1, first error.
    let Ok(Verdict::Rejected { reason, .. }) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(reason, "10");
}

#[tokio::test]
async fn signing_needs_the_grant_of_that_key() {
    let world = World::new();

    for (granted, outcome) in [("main", "0"), ("other", "1")] {
        let grants = Grants {
            signing: vec![granted.into()],
            ..Grants::default()
        };
        let mut step = step(&world.load("signing", LIMITS, &grants).unwrap());
        step.signing = vec!["main".into()];
        let verdict = judge(&Chain::new(vec![step])).await;
        let Ok(Verdict::Rejected { reason, .. }) = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(reason, outcome, "granted: {granted}");
    }
}

#[tokio::test]
async fn a_seal_needs_the_grant_of_that_key() {
    let world = World::new();

    for (granted, named, sealed) in [
        ("main", "main", true),
        ("other", "main", false),
        ("main", "other", false),
    ] {
        let grants = Grants {
            signing: vec![granted.into()],
            ..Grants::default()
        };
        let mut step = step(&world.load("seal", LIMITS, &grants).unwrap());
        step.signing = vec![named.into()];
        let verdict = judge(&Chain::new(vec![step])).await;
        let made = match &verdict {
            Ok(Verdict::Accepted(accepted)) => accepted.overlays()[0].seal.is_some(),
            Ok(Verdict::Dropped { .. }) => false,
            other => panic!("{other:?}"),
        };
        assert_eq!(made, sealed, "granted: {granted}, named: {named}");
    }
}

#[test]
fn nothing_of_a_key_is_printed() {
    let keys = super::world::keys();

    let text = format!("{keys:?}");

    assert!(
        text.contains("env:SECRET") && !text.contains("Everybody"),
        "{text}"
    );
    assert_eq!(Arc::strong_count(&keys["main"][0]), 1);
}
