//! `retry`: when a delivery is tried again, and when it is given up.

use super::document::Place;
use super::draft::{Draft, HOUR, MILLISECOND, MONTH, SECOND};
use super::file;
use super::units::Time;
use crate::delivery::{Policy, Schedule};

/// A wait longer than a day is no retry any more.
const WAIT_MOST: Time = Time(std::time::Duration::from_secs(24 * 3600));

pub(super) fn policy(
    draft: &mut Draft<'_>,
    place: &Place,
    written: Option<&file::Retry>,
) -> Policy {
    let default = Policy::default();
    let Some(written) = written else {
        return default;
    };
    let schedule = schedule(draft, place, written, default.schedule);
    let horizon = draft.time(
        &place.key("horizon"),
        written.horizon,
        default.horizon,
        (SECOND, MONTH),
    );
    let retry_after_cap = draft.time(
        &place.key("retry_after_cap"),
        written.retry_after_cap,
        default.retry_after_cap,
        (MILLISECOND, WAIT_MOST),
    );
    let final_statuses = match &written.final_statuses {
        None => default.final_statuses,
        Some(statuses) => {
            for (index, status) in statuses.iter().enumerate() {
                if !(400..500).contains(status) {
                    draft.refuse(
                        &place.key("final").index(index),
                        format!("{status} cannot be final: only 4xx says that trying again is useless"),
                        "a 5xx may get better; `attempts` and `horizon` bound how often it is tried",
                    );
                }
            }
            statuses.iter().copied().collect()
        }
    };
    Policy {
        schedule,
        attempts_max: written.attempts.unwrap_or(default.attempts_max),
        horizon,
        retry_after_cap,
        final_statuses,
    }
}

fn schedule(
    draft: &mut Draft<'_>,
    place: &Place,
    written: &file::Retry,
    default: Schedule,
) -> Schedule {
    if let Some(steps) = &written.schedule {
        if written.base.is_some() || written.cap.is_some() {
            let key = if written.base.is_some() {
                "base"
            } else {
                "cap"
            };
            draft.refuse_key(
                &place.key(key),
                format!("`{key}` means nothing beside `schedule`"),
                "keep either the schedule, or `base` and `cap`",
            );
        }
        if steps.is_empty() {
            draft.refuse(
                &place.key("schedule"),
                "the schedule is empty",
                r#"list the waits, as in ["5s", "1m", "10m"]; for no retries say attempts = 1"#,
            );
        }
        let at = place.key("schedule");
        let waits = steps.iter().enumerate().map(|(index, wait)| {
            draft.time(
                &at.index(index),
                Some(*wait),
                wait.0,
                (MILLISECOND, WAIT_MOST),
            )
        });
        return Schedule::Steps(waits.collect());
    }
    let Schedule::Exponential { base, cap } = default else {
        return default;
    };
    let base_is = draft.time(&place.key("base"), written.base, base, (MILLISECOND, HOUR));
    let cap_is = draft.time(
        &place.key("cap"),
        written.cap,
        cap.max(base_is),
        (MILLISECOND, WAIT_MOST),
    );
    if base_is > cap_is {
        draft.refuse(
            &place.key("cap"),
            "the longest wait is shorter than the first one",
            "make `cap` longer than `base`",
        );
    }
    Schedule::Exponential {
        base: base_is,
        cap: cap_is,
    }
}
