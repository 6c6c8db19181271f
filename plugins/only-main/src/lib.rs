use hookgate_sdk::filter::{Failure, Guest, Verdict};
use hookgate_sdk::webhook;

struct OnlyMain;
hookgate_sdk::export_filter!(OnlyMain);

impl Guest for OnlyMain {
    fn filter() -> Result<Verdict, Failure> {
        Ok(match webhook::json_string("/ref").as_deref() {
            Some("refs/heads/main") => Verdict::Forward,
            Some(branch) => Verdict::Drop(format!("a push to {branch}")),
            None => return Err(Failure::Permanent("the body has no `/ref`".into())),
        })
    }
}
