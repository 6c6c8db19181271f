//! What the spool holds and the configuration has no place for: operators see it and may do something about it.

use std::sync::Arc;

use tempfile::TempDir;

use crate::support::webhooks::webhooks;
use crate::support::{Absent, Call, Gate, Upstream, folder, hook, hook_to};

const SPOOL: &str = "[buffer]\nspool = \"spool\"\n";
const EARLY: &str = "ack = \"early\"\n";

async fn start(folder: &Arc<TempDir>, toml: &str) -> Gate {
    Gate::start_in(Arc::clone(folder), toml, &[]).await
}

async fn stop(gate: Gate) {
    gate.signal("TERM");
    gate.ended().await;
}

/// One webhook that the spool holds, and that a process finds whose only route has another name: the
/// configuration of that process, which is to be served by `app`, and the webhook's id.
async fn stranded(folder: &Arc<TempDir>, before: &str, fate: &str, app: &str) -> (String, String) {
    let toml = SPOOL.to_owned() + before + EARLY;
    let mut gate = start(folder, &toml).await;
    let answer = Call::post("/hook?x=1", "the body").send(gate.address).await;
    assert_eq!(answer.status, 202);
    let id = answer.field("hookgate-id").unwrap().to_owned();
    gate.wait_for_log(|line| line["msg"] == fate).await;
    stop(gate).await;
    let after = SPOOL.to_owned() + &hook_to(app).replace("routes.hook", "routes.other") + EARLY;
    (after, id)
}

/// What the next process finds.
async fn found(folder: &Arc<TempDir>, toml: &str) -> [u64; 3] {
    let mut gate = start(folder, toml).await;
    let line = gate
        .wait_for_log(|line| line["msg"] == "spool opened")
        .await;
    stop(gate).await;
    ["deliveries", "dead_letters", "stranded"].map(|name| line[name].as_u64().unwrap())
}

const CURE: &str = "its route or its upstream is not in the configuration: put it back and reload, or replay it --to another";

#[tokio::test]
async fn what_is_stranded_is_listed_shown_and_sent_where_there_is_a_place() {
    let (folder, absent, mut upstream) = (folder(), Absent::new(), Upstream::ok().await);
    let before = hook_to(&absent.url());
    let (toml, id) = stranded(&folder, &before, "delivery waits", &upstream.url()).await;
    let gate = start(&folder, &toml).await;

    let (_, listed) = webhooks(&gate, &["list", "--waiting"]).await;
    let line = format!("Z  {id}  hook → app  is kept and not attempted, ");
    assert!(listed.contains(&line) && listed.contains(CURE), "{listed}");
    let (_, shown) = webhooks(&gate, &["show", &id]).await;
    for part in [CURE, "\nPOST /hook?x=1\n", "\n\nthe body\n"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let (code, said) = webhooks(&gate, &["replay", &id]).await;
    let told = format!("error: `{id}` stays in the spool, for its route or its upstream is not");
    assert!(code == Some(1) && said.starts_with(&told), "{said}");
    let (code, said) = webhooks(&gate, &["replay", &id, "--to", "app"]).await;

    assert_eq!((code, said.as_str()), (Some(0), "1 hurried\n"));
    let received = upstream.next().await;
    assert_eq!(
        (received.field("hookgate-id"), received.text()),
        (Some(&*id), "the body".to_owned())
    );
    assert_eq!(received.field("hookgate-route"), Some("hook"));
    assert_eq!(gate.metric("hookgate_spool_stranded").await, 0.0);
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
    stop(gate).await;
    assert_eq!(found(&folder, &toml).await, [0, 0, 0]);
}

#[tokio::test]
async fn what_is_stranded_is_discarded_by_command_and_not_before() {
    let (folder, absent) = (folder(), Absent::new());
    let before = hook_to(&absent.url());
    let (toml, id) = stranded(&folder, &before, "delivery waits", &absent.url()).await;
    assert_eq!(found(&folder, &toml).await, [0, 0, 1]);
    let gate = start(&folder, &toml).await;
    let (_, said) = webhooks(&gate, &["discard", "--all"]).await;
    assert_eq!(said, "no dead letter fits, nothing was done\n");

    let (code, said) = webhooks(&gate, &["discard", &id]).await;

    assert_eq!((code, said.as_str()), (Some(0), "1 discarded\n"));
    let (_, said) = webhooks(&gate, &["find", &id]).await;
    let discarded = format!("{id}  hook  discarded by an operator, 0.");
    assert!(said.starts_with(&discarded), "{said}");
    gate.signal("KILL");
    gate.ended().await;
    assert_eq!(found(&folder, &toml).await, [0, 0, 0]);
}

#[tokio::test]
async fn a_dead_letter_that_is_stranded_is_one_all_the_same() {
    let (folder, gone, mut upstream) = (
        folder(),
        Upstream::answers(&[410]).await,
        Upstream::ok().await,
    );
    let (toml, id) = stranded(&folder, &hook(&gone), "delivery given up", &upstream.url()).await;
    let gate = start(&folder, &toml).await;

    let (_, listed) = webhooks(&gate, &["list"]).await;
    let reason = "1 attempt: answered 410, which is final; ";
    assert!(
        listed.contains(&id) && listed.contains(&format!("{reason}{CURE}")),
        "{listed}"
    );
    let (_, waiting) = webhooks(&gate, &["list", "--waiting"]).await;
    assert_eq!(waiting, "nothing waits\n");
    let (code, said) = webhooks(&gate, &["replay", &id, "--to", "app"]).await;

    assert_eq!((code, said.as_str()), (Some(0), "1 replayed\n"));
    assert_eq!(upstream.next().await.field("hookgate-id"), Some(&*id));
    let (_, listed) = webhooks(&gate, &["list"]).await;
    assert_eq!(listed, "no dead letters\n");
}
