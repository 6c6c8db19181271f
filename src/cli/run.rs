//! `hookgate run`: serve until a signal, reload on another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::exit::Exit;
use super::load::{NO_FILE, Workshop, Written};
use super::{LogFormat, Run};
use crate::admin::{ReloadOutcome, ReloadRequest};
use crate::config::{self, Colour, Plan};
use crate::delivery::UpstreamUrl;
use crate::listener::Succession;
use crate::server::{Drained, Foundation, Running, Server};
use crate::telemetry::{Event, log};

/// Reloads that may wait for the one in progress; more callers are told to come back.
const RELOADS_WAITING_MAX: usize = 4;

/// For whoever starts a process where another one runs.
const REPLACE: &str = "help: to take over from a process that runs there, start with --replace";

/// A flood's lines that were not written are told soon enough to explain the gap in the log.
const SUPPRESSED_LINES_REPORTED_EVERY: Duration = Duration::from_secs(5);

pub(super) fn run(options: &Run) -> Exit {
    // First of all: nobody else reads the environment yet.
    let succession = match Succession::from_environment(options.replace) {
        Ok(succession) => succession,
        Err(error) => return fail(&error),
    };
    let written = match (&options.to, options.source.find()) {
        (Some(to), _) => match check_options(to, options) {
            Ok(()) => forward_everything(to, options),
            Err(why) => {
                eprintln!("error: {why}");
                return Exit::Usage;
            }
        },
        (None, Some(path)) => Written::File(path),
        (None, None) => {
            eprintln!("{NO_FILE}");
            return Exit::Usage;
        }
    };
    let started = Instant::now();
    let workshop = match Workshop::new() {
        Ok(workshop) => workshop,
        Err(error) => return fail(&error),
    };
    let plan = match workshop.load(&written, None) {
        Ok(plan) => plan,
        Err(report) => {
            eprintln!("{}", report.render(Colour::for_stderr()));
            return Exit::Config;
        }
    };
    if let Err(error) = start_log(options, &plan) {
        return fail(&error);
    }
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let exit = runtime.block_on(serve(workshop, written, plan, succession, started));
    // Dropping it would wait for the workers, whom a second signal does not wait for.
    runtime.shutdown_background();
    exit
}

async fn serve(
    workshop: Workshop,
    written: Written,
    plan: Plan,
    succession: Succession,
    started: Instant,
) -> Exit {
    let telemetry = workshop.telemetry.clone();
    for warning in plan.warnings.lines() {
        telemetry.emit(&Event::Warning { message: &warning });
    }
    if let Written::Text { .. } = written {
        let message = "`--to` verifies nothing: forged webhooks are passed on like others";
        telemetry.emit(&Event::Warning { message });
    }
    let (routes, plugins) = (plan.summary.len(), plan.plugins());
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return fail(&error),
    };
    let buffer = workshop.buffer.clone();
    let foundation = match Foundation::open(telemetry.clone(), buffer, &plan.storage) {
        Ok(foundation) => foundation,
        Err(error) if error.is_lasting() => {
            fail(&error);
            return Exit::Config;
        }
        Err(error) => return fail(&error),
    };
    let server = match Server::bind(plan, foundation, succession) {
        Ok(server) => server,
        Err(error) => {
            let exit = fail(&error);
            if error.is_taken() {
                eprintln!("{REPLACE}");
            }
            return exit;
        }
    };
    let (ask, mut asked) = mpsc::channel(RELOADS_WAITING_MAX);
    let running = match server.start(ask) {
        Ok(running) => running,
        Err(error) => return fail(&error),
    };
    telemetry.emit(&Event::Ready {
        routes,
        plugins,
        took: started.elapsed(),
    });
    tell_supervisor(NotifyState::Ready);
    let workshop = Arc::new(workshop);
    let mut tidying = tokio::time::interval(SUPPRESSED_LINES_REPORTED_EVERY);
    loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Stop => break,
                Asked::Reload => {
                    reload(&running, &workshop, &written).await;
                }
            },
            _ = tidying.tick() => telemetry.report_suppressed(),
            Some(ReloadRequest { outcome }) = asked.recv() => {
                // Whoever asked may have gone; the reload has happened all the same.
                let _ = outcome.send(reload(&running, &workshop, &written).await);
            }
        }
    }
    tell_supervisor(NotifyState::Stopping);
    tokio::select! {
        drained = running.drain() => match drained {
            Ok(Drained::Clean) => Exit::Ok,
            Ok(Drained::Left(_)) => Exit::LeftBehind,
            Err(error) => fail(&error),
        },
        () = signals.stop() => Exit::Forced,
    }
}

/// Tells systemd, if that started us and wants to know (`sd_notify(3)`).
fn tell_supervisor(state: NotifyState<'_>) {
    // It can do no more about it than we: it goes by its time-outs then.
    let _ = sd_notify::notify(&[state]);
}

/// Compiles the configuration anew, off this thread, and puts it in force.
async fn reload(running: &Running, workshop: &Arc<Workshop>, written: &Written) -> ReloadOutcome {
    let started = Instant::now();
    let telemetry = &workshop.telemetry;
    let (current, shop, written) = (running.plan(), Arc::clone(workshop), written.clone());
    let before = Arc::clone(&current);
    let loaded = tokio::task::spawn_blocking(move || shop.load(&written, Some(&current))).await;
    let refused = |problems, report: String| {
        telemetry.emit(&Event::ReloadRefused {
            problems,
            report: &report,
        });
        ReloadOutcome::Refused { problems, report }
    };
    let plan = match loaded {
        Ok(Ok(plan)) => plan,
        Ok(Err(report)) => return refused(report.errors(), report.render(Colour::Never)),
        Err(panicked) => return refused(1, panicked.to_string()),
    };
    let summary = config::difference(&before, &plan);
    for warning in plan.warnings.lines() {
        telemetry.emit(&Event::Warning { message: &warning });
    }
    if let Err(needs_restart) = running.reload(plan) {
        return refused(1, needs_restart.to_string());
    }
    drop(before);
    workshop.tidy();
    telemetry.emit(&Event::Reloaded {
        took: started.elapsed(),
        summary: &summary,
    });
    ReloadOutcome::Applied { summary }
}

/// What a configuration would be told of at its place is told here of the option: who starts without a file
/// has none to look into.
fn check_options(to: &str, options: &Run) -> Result<(), String> {
    UpstreamUrl::parse(to).map_err(|why| format!("--to: {why}"))?;
    let admin = &options.admin;
    if admin == "off" {
        return Ok(());
    }
    let address: SocketAddr = admin.parse().map_err(|_| {
        format!("--admin: `{admin}` is no address; write it like `127.0.0.1:9119`, or `off`")
    })?;
    match address.ip().is_loopback() {
        true => Ok(()),
        false => Err(format!(
            "--admin: `{address}` can be reached by others, and a token needs a configuration file; name an \
             address of the loopback, like `127.0.0.1:9119`"
        )),
    }
}

/// A configuration for `--to`: everything goes to one upstream, and nobody is asked who they are.
fn forward_everything(to: &str, options: &Run) -> Written {
    // A JSON string is a TOML string.
    let (to, admin) = (Value::from(to), Value::from(options.admin.as_str()));
    let listen = options.listen;
    let toml = format!(
        "[server]\nlisten = [\"{listen}\"]\n\n\
         [admin]\nlisten = {admin}\n\n\
         [upstreams.to]\nurl = {to}\n\n\
         [routes.all]\npath = \"/{{*rest}}\"\nmethods = [\"POST\", \"PUT\", \"GET\"]\n\
         public = true\nforward = \"to\"\n\n\
         [routes.root]\npath = \"/\"\nmethods = [\"POST\", \"PUT\", \"GET\"]\n\
         public = true\nforward = \"to\"\n"
    );
    Written::Text {
        name: "--to",
        toml,
        environment: &[],
    }
}

fn start_log(options: &Run, plan: &Plan) -> Result<(), log::LogError> {
    let format = match (options.log_format, plan.log_format) {
        (Some(LogFormat::Text), _) | (None, config::LogFormat::Text) => log::Format::Text,
        (Some(LogFormat::Json), _) | (None, config::LogFormat::Json) => log::Format::Json,
        (None, config::LogFormat::Auto) => log::Format::for_stderr(),
    };
    log::init(
        format,
        options.log.as_deref().unwrap_or(plan.log_level.as_str()),
    )
}

/// `SIGXFSZ` of `signal(7)`: a file has come to the size that this process may give it. Unheard, it would
/// end the process; heard, it leaves the write to fail like one on a full disk.
const FILE_TOO_LARGE: SignalKind = SignalKind::from_raw(25);

/// The signals that concern us; SIGPIPE is ignored by the runtime.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Stop,
    Reload,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        // Once heard, it is heard as long as the process lives.
        drop(signal(FILE_TOO_LARGE)?);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.quit.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }

    /// The second request to stop; a reload is too late by then.
    async fn stop(&mut self) {
        while self.next().await != Asked::Stop {}
    }
}

/// One line for every cause, then the exit code.
pub(super) fn fail(error: &dyn std::error::Error) -> Exit {
    eprint!("error: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        eprint!(": {inner}");
        cause = inner.source();
    }
    eprintln!();
    Exit::Failure
}
