//! Reload: all of the new configuration, or nothing of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support::{Call, Connection, Gate, Upstream, folder, github, guest, hook};

async fn status(gate: &Gate, target: &str) -> u16 {
    Call::post(target, "x").send(gate.address).await.status
}

#[tokio::test]
async fn sighup_puts_the_new_routes_in_force_for_the_next_webhook() {
    let (mut old, mut new) = (Upstream::ok().await, Upstream::ok().await);
    let mut gate = Gate::start(&hook(&old)).await;
    let mut open = Connection::open(gate.address).await;
    assert_eq!(open.call(&Call::post("/hook", "before")).await.status, 200);

    let more = "[routes.more]\npath = \"/more\"\npublic = true\nforward = \"app\"\n";
    gate.apply(&(hook(&new) + more)).await;

    assert_eq!(open.call(&Call::post("/hook", "after")).await.status, 200);
    assert_eq!(status(&gate, "/more").await, 200);
    assert_eq!(old.next().await.text(), "before");
    assert_eq!(new.next().await.text(), "after");
    assert!(old.is_quiet());
    let line = gate
        .wait_for_log(|line| line["msg"] == "configuration reloaded")
        .await;
    assert!(line["summary"].as_str().unwrap().contains("more"), "{line}");
    assert_eq!(
        gate.metric("hookgate_reloads_total{result=\"applied\"}")
            .await,
        1.0
    );
}

#[tokio::test]
async fn a_webhook_ends_under_the_plan_it_began_with() {
    let (mut old, permits) = Upstream::awaiting().await;
    let mut gate = Gate::start(&hook(&old)).await;
    let mut sender = Connection::open(gate.address).await;
    sender.write(Call::post("/hook", "x").bytes()).await;
    old.next().await;

    let new = Upstream::ok().await;
    gate.apply(&hook(&new).replace("/hook", "/moved")).await;
    permits.add_permits(1);

    assert_eq!(sender.answer().await.status, 200);
    assert_eq!(
        (status(&gate, "/hook").await, status(&gate, "/moved").await),
        (404, 200)
    );
}

#[tokio::test]
async fn a_wrong_file_changes_nothing_and_the_log_has_the_report() {
    let upstream = Upstream::ok().await;
    let mut gate = Gate::start(&hook(&upstream)).await;

    let wrong = hook(&upstream).replace("/hook", "/moved") + "pathh = 1\nforwrad = \"app\"\n";
    let report = gate.refuse(&wrong).await;

    for part in ["pathh", "forwrad", "did you mean", "config.toml:"] {
        assert!(report.contains(part), "{report}");
    }
    assert_eq!(
        (status(&gate, "/hook").await, status(&gate, "/moved").await),
        (200, 404)
    );
    assert_eq!(
        gate.metric("hookgate_reloads_total{result=\"refused\"}")
            .await,
        1.0
    );
    gate.apply(&hook(&upstream).replace("/hook", "/moved"))
        .await;
    assert_eq!(
        (status(&gate, "/hook").await, status(&gate, "/moved").await),
        (404, 200)
    );
}

#[tokio::test]
async fn a_post_to_the_admin_reloads_and_answers_what_came_of_it() {
    let upstream = Upstream::ok().await;
    let gate = Gate::start(&hook(&upstream)).await;
    let file = gate.folder().join("config.toml");
    let written = std::fs::read_to_string(&file).unwrap();
    let reload = Call::post("/api/reload", "");

    std::fs::write(&file, written.replace("/hook", "/moved")).unwrap();
    let applied = gate.ask(&reload).await;
    assert_eq!(
        (applied.status, &applied.json()["result"]),
        (200, &"applied".into())
    );
    assert_eq!(status(&gate, "/moved").await, 200);

    std::fs::write(&file, written.replace("path =", "paht =")).unwrap();
    let refused = gate.ask(&reload).await;
    let told = refused.json();
    assert_eq!((refused.status, &told["result"]), (422, &"refused".into()));
    assert!(
        told["report"].as_str().unwrap().contains("`paht`"),
        "{told}"
    );
    assert_eq!(status(&gate, "/moved").await, 200);

    let other_site = reload.clone().field("origin", "http://evil.example");
    assert_eq!(gate.ask(&other_site).await.status, 403);
    assert_eq!(gate.ask(&Call::get("/api/reload")).await.status, 405);
}

#[tokio::test]
async fn what_is_bound_or_sized_at_start_is_refused_with_the_setting_that_says_so() {
    let upstream = Upstream::ok().await;
    let whole = |server: &str| format!("[server]\n{server}\n{}", hook(&upstream));
    let listen = "listen = [\"127.0.0.1:0\"]";

    for (server, setting) in [
        ("listen = [\"127.0.0.1:1\"]", "`server.listen`"),
        (
            &format!("{listen}\nlimits = {{ idle = \"5s\" }}"),
            "`server.limits`",
        ),
        (&format!("{listen}\nworkers = 7"), "`server.workers`"),
    ] {
        let mut gate = Gate::start(&whole(listen)).await;
        let report = gate.refuse(&whole(server).replace("/hook", "/moved")).await;

        let sentence = "takes effect at a start only: restart, or take the change back";
        assert_eq!(report, format!("{setting} {sentence}"));
        assert_eq!(
            (status(&gate, "/hook").await, status(&gate, "/moved").await),
            (200, 404)
        );
    }
}

#[tokio::test]
async fn the_bounds_of_the_buffer_follow_the_plan_and_what_it_holds_stays() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let with = |deliveries: usize| {
        hook(&upstream)
            + "ack = \"early\"\nlossy = true\n"
            + &format!("[buffer]\nmax_deliveries = {deliveries}\n")
    };
    let (tight, wide) = (with(1), with(2));
    let gate = Gate::start(&wide).await;
    let reload = async |toml: &str| {
        gate.write(toml);
        let answer = gate.ask(&Call::post("/api/reload", "")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    assert_eq!(status(&gate, "/hook").await, 202);

    reload(&tight).await;
    assert_eq!(status(&gate, "/hook").await, 503);
    let state = gate.ask(&Call::get("/api/state")).await.json();
    assert_eq!(state["buffer"]["deliveries_max"], 1);
    reload(&wide).await;
    assert_eq!(status(&gate, "/hook").await, 202);

    permits.add_permits(2);
    upstream.next().await;
    upstream.next().await;
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_plugin_is_compiled_anew_only_when_its_file_changed() {
    let upstream = Upstream::ok().await;
    let folder = folder();
    let plugin = folder.path().join("mine.wasm");
    // Answers with a status of its own, so that one can tell which file is at work.
    let verdict = |body: &str| {
        let module = format!(
            "(module (memory (export \"memory\") 1)
                (func (export \"hookgate:plugin/verify@0.1.0#verify\") (result i32) {body}))"
        );
        guest("hookgate:plugin/verify-plugin", &module)
    };
    std::fs::write(&plugin, verdict("(i32.const 0)")).unwrap();
    let toml = hook(&upstream)
        + "[[routes.hook.plugins]]\nuse = \"mine\"\n[plugins.mine]\nfile = \"mine.wasm\"\n";
    let cache = folder.path().join("cache");
    let env = [("HOOKGATE_CACHE", cache.to_str().unwrap())];
    let mut gate = Gate::start_in(Arc::clone(&folder), &toml, &env).await;
    assert_eq!(status(&gate, "/hook").await, 200);
    // Whatever is compiled from now on is kept here.
    for file in compiled(&cache) {
        std::fs::remove_file(file).unwrap();
    }

    gate.apply(&toml.replace("/hook", "/moved")).await;
    assert_eq!(status(&gate, "/moved").await, 200);
    assert_eq!(compiled(&cache), [] as [PathBuf; 0]);

    std::fs::write(&plugin, verdict("(unreachable)")).unwrap();
    assert_eq!(gate.ask(&Call::post("/api/reload", "")).await.status, 200);
    assert_eq!(status(&gate, "/moved").await, 500);
    assert_eq!(compiled(&cache).len(), 1);
}

/// The compiled plugins below a cache folder.
fn compiled(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                compiled(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[tokio::test]
async fn a_changed_secret_is_read_again_and_counters_go_on() {
    let upstream = Upstream::ok().await;
    let folder = folder();
    std::fs::write(folder.path().join("secret"), "one").unwrap();
    let toml = hook(&upstream).replace("public = true", "ack = \"upstream\"")
        + "[[routes.hook.plugins]]\nuse = \"signature\"\n\
           with = { preset = \"github\", keys = [{ file = \"secret\" }] }\n";
    let path = folder.path().join("secret");
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    std::fs::set_permissions(&path, permissions).unwrap();
    let mut gate = Gate::start_in(folder, &toml, &[]).await;
    let call = |secret: &str| github("/hook", "push", secret, "x");
    assert_eq!(call("one").send(gate.address).await.status, 200);

    std::fs::write(&path, "two").unwrap();
    gate.apply(&toml).await;

    assert_eq!(call("two").send(gate.address).await.status, 200);
    assert_eq!(call("one").send(gate.address).await.status, 401);
    let delivered = "hookgate_webhooks_total{route=\"hook\",outcome=\"delivered\",class=\"2xx\"}";
    assert_eq!(gate.metric(delivered).await, 2.0);
}

#[tokio::test]
async fn what_waits_survives_a_reload() {
    let mut upstream = Upstream::answers(&[500, 200]).await;
    let toml =
        hook(&upstream) + "ack = \"early\"\nlossy = true\nretry = { schedule = [\"500ms\"] }\n";
    let mut gate = Gate::start(&toml).await;
    let answer = Call::post("/hook", "x").send(gate.address).await;
    gate.wait_for_log(|line| line["msg"] == "delivery waits")
        .await;

    gate.apply(&toml.replace("/hook", "/moved")).await;

    upstream.next().await;
    assert_eq!(
        upstream.next().await.field("hookgate-id"),
        answer.field("hookgate-id")
    );
}

#[tokio::test]
async fn what_waits_goes_to_its_upstream_as_it_is_now() {
    let mut wrong = Upstream::answers(&[500]).await;
    let mut right = Upstream::answers(&[200]).await;
    let toml = hook(&wrong) + "ack = \"early\"\nlossy = true\nretry = { schedule = [\"500ms\"] }\n";
    let mut gate = Gate::start(&toml).await;
    let answer = Call::post("/hook", "x").send(gate.address).await;
    wrong.next().await;
    gate.wait_for_log(|line| line["msg"] == "delivery waits")
        .await;

    gate.apply(&toml.replace(&wrong.url(), &right.url())).await;

    let second = right.next().await;
    assert_eq!(second.field("hookgate-id"), answer.field("hookgate-id"));
    assert_eq!(second.field("hookgate-attempt"), Some("2"));
}
