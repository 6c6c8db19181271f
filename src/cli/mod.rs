//! The command line: what it understands, and one file for each command. The only room that prints.
#![expect(clippy::print_stderr, reason = "errors go to stderr")]

// Its `print!` and `println!` are those of this room.
#[macro_use]
mod out;

mod check;
mod demo;
mod exit;
mod explain;
mod load;
mod plugin;
mod routes;
mod run;
mod send;
mod webhooks;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use exit::Exit;

/// The reverse proxy that knows what a webhook is.
#[derive(Debug, Parser)]
#[command(name = "hookgate", version, about, max_term_width = 100)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve: take webhooks, judge them, deliver them.
    Run(Run),
    /// Provision a configuration for real, bind nothing, and tell everything that is wrong with it.
    Check(Check),
    /// List the routes, or tell which one would take a webhook.
    Routes(Routes),
    /// Send a realistic, correctly signed webhook of a provider.
    Send(Send),
    /// Where a webhook is, what waits, and dead letters: listed, shown, replayed, discarded. Asks a running
    /// gate.
    Webhooks(webhooks::Webhooks),
    /// Tell what a route says to a captured webhook, and why.
    Explain(explain::Explain),
    /// For authors of plugins: test, inspect, measure.
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Print the contract of plugins (WIT).
    Wit,
    /// Show it all on this machine: a gate, an upstream that can fail, and a sender.
    Demo(Demo),
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct Source {
    /// The file. Without it: ./config.toml, then /etc/hookgate/config.toml.
    #[arg(short, long, env = "HOOKGATE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    source: Source,
    /// Without a file: forward everything to this URL.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    to: Option<String>,
    /// With --to: where to listen.
    #[arg(
        long,
        value_name = "ADDRESS",
        requires = "to",
        default_value = "127.0.0.1:8080"
    )]
    listen: SocketAddr,
    /// With --to: where operators look; `off` for nowhere.
    #[arg(
        long,
        value_name = "ADDRESS",
        requires = "to",
        default_value = "127.0.0.1:9119"
    )]
    admin: String,
    /// Start beside a process that has the same addresses, and is ended when this one is ready.
    #[arg(long)]
    replace: bool,
    /// What is logged: a level, or `target=level` pairs. Overrides `log.level`.
    #[arg(long, env = "HOOKGATE_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// How it is logged. Overrides `log.format`.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

#[derive(Debug, Args)]
struct Check {
    #[command(flatten)]
    source: Source,
    /// Print the problems as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Routes {
    #[command(flatten)]
    source: Source,
    /// Tell which route takes this webhook.
    #[arg(long = "match", num_args = 2, value_names = ["METHOD", "URL-OR-PATH"])]
    matching: Option<Vec<String>>,
}

#[derive(Debug, Args)]
struct Send {
    /// The provider, as a preset is named: github, stripe, slack, ...
    preset: String,
    /// The event; without it the provider's events are listed.
    event: Option<String>,
    #[command(flatten)]
    source: Source,
    /// Where to. Without it: the route of this provider in the configuration.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// The environment variable that holds the secret. Without it: the key in the configuration.
    #[arg(long, value_name = "NAME")]
    secret_env: Option<String>,
    /// Trust this authority, a PEM file, beside the platform's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Change a byte of the body after signing, to see it refused.
    #[arg(long)]
    tamper: bool,
}

#[derive(Debug, Args)]
struct Demo {
    /// Show everything, then end.
    #[arg(long)]
    once: bool,
}

/// Runs the command that the process was called with.
#[must_use]
pub fn main() -> ExitCode {
    let exit = match Line::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Check(options) => check::check(&options),
        Command::Routes(options) => routes::routes(&options),
        Command::Send(options) => send::send(&options),
        Command::Webhooks(options) => webhooks::webhooks(&options),
        Command::Explain(options) => explain::explain(&options),
        Command::Plugin(command) => plugin::plugin(&command),
        Command::Wit => {
            print!("{}", include_str!("../../wit/hookgate.wit"));
            Exit::Ok
        }
        Command::Demo(options) => demo::demo(&options),
        Command::Schema => {
            print!("{}", crate::config::schema());
            Exit::Ok
        }
    };
    exit.into()
}
