//! `hookgate demo`: a gate, an upstream and a sender on this machine, and what they do together.

mod scenes;
mod upstream;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use tokio::signal::ctrl_c;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Demo;
use super::exit::Exit;
use super::load::{Workshop, Written};
use super::run::fail;
use crate::config::{Colour, Plan};
use crate::drain::Drain;
use crate::listener::Succession;
use crate::server::{Foundation, Server};
use crate::telemetry::Event;
use upstream::Upstream;

/// Keys of the demo; its webhooks are worth nothing to anybody.
pub(super) const SECRETS: &[(&str, &str)] = &[
    ("GITHUB_WEBHOOK_SECRET", "demo-github-secret"),
    ("STRIPE_WEBHOOK_SECRET", "whsec_demo-stripe-secret"),
    ("SLACK_SIGNING_SECRET", "demo-slack-secret"),
];

const CONFIG: &str = include_str!("config.toml");

/// The ports that people expect, where they are free.
const GATE_PORT: u16 = 8080;
const ADMIN_PORT: u16 = 9119;

/// Where everybody is.
#[derive(Clone, Copy, Debug)]
struct Stage {
    gate: SocketAddr,
    admin: SocketAddr,
    upstream: SocketAddr,
}

pub(super) fn demo(options: &Demo) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    runtime.block_on(async {
        match play(options).await {
            Ok(exit) => exit,
            Err(error) => fail(&*error),
        }
    })
}

async fn play(options: &Demo) -> Result<Exit, Box<dyn std::error::Error>> {
    let (started, props) = (Instant::now(), Drain::new());
    let (upstream, upstream_address) = Upstream::start(&props.watch()).await?;
    let workshop = Workshop::new()?;
    let plan = match plan(&workshop, upstream_address)? {
        Ok(plan) => plan,
        Err(report) => {
            eprintln!("{}", report.render(Colour::for_stderr()));
            return Ok(Exit::Config);
        }
    };
    let (routes, plugins) = (plan.summary.len(), plan.plugins());
    let (telemetry, buffer) = (workshop.telemetry.clone(), workshop.buffer.clone());
    let foundation = Foundation::open(telemetry.clone(), buffer, &plan.storage)?;
    let server = Server::bind(plan, foundation, Succession::default())?;
    let gate = server
        .addresses()
        .first()
        .copied()
        .ok_or_else(|| io::Error::other("no address"))?;
    let admin = server.admin_address().unwrap_or(gate);
    let stage = Stage {
        gate,
        admin,
        upstream: upstream_address,
    };
    let (reload, _nobody_reloads) = mpsc::channel(1);
    let running = server.start(reload)?;
    telemetry.emit(&Event::Ready {
        routes,
        plugins,
        took: started.elapsed(),
    });

    introduce(&stage);
    let is_as_promised = scenes::play(&stage, &upstream).await;
    if !options.once && is_as_promised {
        invite(&stage);
        ctrl_c().await?;
    }
    running.drain().await?;
    props.request();
    Ok(if is_as_promised {
        Exit::Ok
    } else {
        Exit::Failure
    })
}

/// The demo's configuration with its ports filled in.
fn plan(
    workshop: &Workshop,
    upstream: SocketAddr,
) -> io::Result<Result<Plan, crate::config::Report>> {
    let toml = CONFIG
        .replace("GATE", &free(GATE_PORT)?.to_string())
        .replace("ADMIN", &free(ADMIN_PORT)?.to_string())
        .replace("UPSTREAM", &upstream.port().to_string());
    Ok(workshop.load(
        &Written::Text {
            name: "demo.toml",
            toml,
            environment: SECRETS,
        },
        None,
    ))
}

/// This port, or 0 when somebody has it already.
fn free(port: u16) -> io::Result<u16> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(port),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(0),
        Err(error) => Err(error),
    }
}

fn introduce(stage: &Stage) {
    println!(
        "Hookgate {}: a gate, an upstream and a sender on this machine\n",
        env!("CARGO_PKG_VERSION")
    );
    println!(
        "  gate      http://{}   /github /chat /stripe /slack",
        stage.gate
    );
    println!("  upstream  http://{}   /app /chat", stage.upstream);
    println!(
        "  admin     http://{}   page, /metrics, /live, /ready\n",
        stage.admin
    );
}

fn invite(stage: &Stage) {
    let Stage {
        gate,
        admin,
        upstream,
    } = stage;
    println!("Now you; everything stays up until ctrl-c.\n");
    println!("  a forgery      curl -i -d '{{}}' http://{gate}/github");
    println!(
        "  a real one     GITHUB_WEBHOOK_SECRET={} hookgate send github push \\",
        secret("GITHUB_WEBHOOK_SECRET")
    );
    println!("                   --to http://{gate}/github --secret-env GITHUB_WEBHOOK_SECRET");
    println!("  break it       curl -X POST http://{upstream}/fail/3");
    println!("  what happened  curl http://{admin}/metrics\n");
}

/// One of the demo's keys, as it is written.
fn secret(name: &str) -> &'static str {
    SECRETS
        .iter()
        .find(|(key, _)| *key == name)
        .map_or("", |(_, secret)| secret)
}
