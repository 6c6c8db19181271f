//! The bundled plugin `json-filter`: is the webhook wanted? The configuration names conditions on
//! the event, on values of the JSON body, on headers and on the query; all must hold. The short form
//! lists alternatives for each (`rules`); the table `when` combines conditions with `all`, `any` and
//! `not` (`condition`). What does not match is dropped with the reason; what cannot be judged is a
//! failure, because a drop tells the sender that all is well.

pub mod check;
pub mod condition;
pub mod number;
pub mod rules;

mod judge;

hookgate_sdk::stage!(
    filter: judge::judge,
    check: check::check,
    describe: include_str!("describe.json"),
);
