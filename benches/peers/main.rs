//! Hookgate beside nginx, nginx+Lua, HAProxy and Node: the same work, in one run, interleaved round by
//! round. See `benches/README.md` for how to read what this prints.

mod bars;
mod load;
mod peers;
mod report;
mod server;
mod upstream;
mod wire;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use bars::{Bar, Bench};
use peers::Peer;
use upstream::Upstream;
use work::Certificate;

/// Why the bench cannot go on, in a sentence.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures Hookgate beside its peers.
#[derive(Parser)]
#[command(name = "peers")]
struct Options {
    /// What to measure.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "pass,verify,tls,handshake,idle"
    )]
    bars: Vec<Bar>,
    /// Who takes part.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "hookgate,nginx,nginx-lua,haproxy,node"
    )]
    peers: Vec<Peer>,
    /// Another build of Hookgate to measure beside this one.
    #[arg(long)]
    before: Option<PathBuf>,
    /// How often each server is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: u64,
    /// How long each server is loaded in a round.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// The core of the server under test.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core of senders and upstream.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// Print one JSON document instead of tables.
    #[arg(long)]
    json: bool,
    /// Cargo says so when it runs benches, and does not when it runs tests.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let options = Options::parse();
    match measure(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure);
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn measure(options: Options) -> Result<(), Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // What is dropped here stops its servers and removes its folder.
    tokio::select! {
        done = run(options) => done,
        _ = interrupt.recv() => Err("interrupted".into()),
        _ = terminate.recv() => Err("terminated".into()),
    }
}

async fn run(mut options: Options) -> Result<(), Failure> {
    server::stay_on(options.load_core)?;
    if options.server_core == options.load_core {
        return Err("server and load need a core each".into());
    }
    if options.before.is_some() {
        options.peers.push(Peer::HookgateBefore);
    }
    let home = tempfile::Builder::new()
        .prefix("hookgate-bench-")
        .tempdir()?;
    let upstream = Upstream::start().await?;
    let bench = Bench {
        home: home.path(),
        certificate: Certificate::write(home.path())?,
        upstream: upstream.port,
        core: options.server_core,
        peers: options.peers,
        before: options.before.as_deref(),
        rounds: options.rounds,
        time: Duration::from_secs(options.seconds),
    };
    let mut tables = Vec::new();
    for bar in options.bars {
        let table = bench.measure(bar).await?;
        if !options.json {
            show(&table);
        }
        tables.push(table.json());
    }
    if options.json {
        show(&serde_json::Value::Array(tables));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a report is for whoever ran the bench")]
fn show(report: &impl std::fmt::Display) {
    println!("{report}");
}

#[expect(clippy::print_stderr, reason = "so is a complaint")]
fn complain(failure: &Failure) {
    eprintln!("peers: {failure}");
}
