//! Senders who show a secret instead of signing: tokens, names and passwords.

use crate::support::{Answer, Call, Gate, Upstream, base64, folder, hook};

const NEW: &str = "correct horse battery staple";
const OLD: &str = "the one before it";

async fn gate(upstream: &Upstream, plugin: &str, with: &str) -> Gate {
    let step = format!("[[routes.hook.plugins]]\nuse = \"{plugin}\"\nwith = {{ {with} }}\n");
    let toml = hook(upstream).replace("public = true\n", "") + &step;
    Gate::start_in(folder(), &toml, &[("NEW", NEW), ("OLD", OLD)]).await
}

async fn send(gate: &Gate, target: &str, fields: &[(&str, &str)]) -> Answer {
    let call = fields
        .iter()
        .fold(Call::post(target, "{}"), |call, (name, value)| {
            call.field(name, value)
        });
    call.send(gate.address).await
}

#[tokio::test]
async fn a_token_in_a_header_opens_the_route_and_nothing_near_it_does() {
    let mut upstream = Upstream::ok().await;
    let with = "header = \"X-Gitlab-Token\", keys = [{ env = \"NEW\" }, { env = \"OLD\" }]";
    let mut gate = gate(&upstream, "token", with).await;

    for token in [NEW, OLD] {
        let answer = send(&gate, "/hook", &[("x-gitlab-token", token)]).await;
        assert_eq!(answer.status, 200);
        upstream.next().await;
    }
    for fields in [
        &[][..],
        &[("x-gitlab-token", "")],
        &[("x-gitlab-token", "correct horse battery stapl")],
        &[("x-gitlab-token", "correct horse battery staple2")],
        &[("x-gitlab-token", "Correct horse battery staple")],
        &[("x-gitlab-tokens", NEW)],
        &[("x-gitlab-token", NEW), ("x-gitlab-token", NEW)],
        &[("authorization", NEW)],
    ] {
        let answer = send(&gate, "/hook", fields).await;
        assert_eq!(answer.status, 401, "{fields:?}");
        assert_eq!(answer.json()["title"], "Unauthorized", "{fields:?}");
    }

    assert!(upstream.is_quiet());
    gate.wait_for_log(|line| {
        line["reason"] == "the header `X-Gitlab-Token` is there more than once"
    })
    .await;
    for label in ["NEW", "OLD"] {
        let matched = format!(
            "hookgate_keys_matched_total{{plugin=\"token\",route=\"hook\",key=\"keys\",label=\"env:{label}\"}}"
        );
        gate.wait_for_metric(&matched, 1.0).await;
    }
    let page = gate.metrics().await;
    assert!(!(page + &gate.log().join("\n")).contains(NEW));
}

#[tokio::test]
async fn a_bearer_token_needs_its_scheme() {
    let mut upstream = Upstream::ok().await;
    let with = "header = \"Authorization\", prefix = \"Bearer \", keys = { env = \"NEW\" }";
    let gate = gate(&upstream, "token", with).await;
    let authorization = |value: String| {
        let gate = &gate;
        async move {
            send(gate, "/hook", &[("authorization", &value)])
                .await
                .status
        }
    };

    assert_eq!(authorization(format!("Bearer {NEW}")).await, 200);
    assert_eq!(authorization(format!("bearer {NEW}")).await, 200);
    upstream.next().await;
    upstream.next().await;
    assert_eq!(authorization(NEW.to_owned()).await, 401);
    assert_eq!(authorization(format!("Basic {NEW}")).await, 401);
    assert_eq!(authorization(format!("Bearer  {NEW}")).await, 401);
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_token_in_the_query_is_decoded_first() {
    let mut upstream = Upstream::ok().await;
    let gate = gate(
        &upstream,
        "token",
        "query = \"t\", keys = { env = \"NEW\" }",
    )
    .await;

    for (target, status) in [
        ("/hook?a=1&t=correct+horse%20battery+staple", 200),
        ("/hook?t=correct%2Bhorse+battery+staple", 401),
        ("/hook?T=correct+horse+battery+staple", 401),
        ("/hook?t=", 401),
        ("/hook", 401),
    ] {
        assert_eq!(send(&gate, target, &[]).await.status, status, "{target}");
    }
    upstream.next().await;
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_name_and_its_own_password_open_the_route() {
    let mut upstream = Upstream::ok().await;
    let with = "users = { shop = [{ env = \"NEW\" }], crm = [{ env = \"OLD\" }] }";
    let mut gate = gate(&upstream, "basic-auth", with).await;
    let basic = |name: &str, password: &str| {
        format!("Basic {}", base64(format!("{name}:{password}").as_bytes()))
    };

    for (name, password) in [("shop", NEW), ("crm", OLD)] {
        let fields = [("authorization", &*basic(name, password))];
        assert_eq!(send(&gate, "/hook", &fields).await.status, 200, "{name}");
        upstream.next().await;
    }
    for value in [
        basic("shop", OLD),
        basic("crm", NEW),
        basic("Shop", NEW),
        basic("nobody", NEW),
        basic("nobody", ""),
        basic("shop", ""),
        basic("", NEW),
        format!("Bearer {NEW}"),
        "Basic".to_owned(),
        String::new(),
    ] {
        let answer = send(&gate, "/hook", &[("authorization", &value)]).await;
        assert_eq!(answer.status, 401, "{value}");
    }
    assert_eq!(send(&gate, "/hook", &[]).await.status, 401);

    assert!(upstream.is_quiet());
    gate.wait_for_log(|line| line["reason"] == "name and password are not ours")
        .await;
}
