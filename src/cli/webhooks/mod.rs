//! `hookgate webhooks`: where a webhook is, what waits, and what to do about dead letters; asks a running
//! gate.

mod shown;

use std::fmt::Write as _;

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::Request;
use serde_json::Value;

use super::exit::Exit;
use crate::delivery::{Answer, Upstream, UpstreamSettings, UpstreamUrl};
use crate::telemetry::Telemetry;

#[derive(Debug, Args)]
pub(super) struct Webhooks {
    #[command(subcommand)]
    what: What,
    /// Where the gate's operators look.
    #[arg(
        long,
        global = true,
        env = "HOOKGATE_ADMIN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9119"
    )]
    admin: String,
    /// The environment variable that holds the token of `admin.token`.
    #[arg(long, global = true, value_name = "NAME")]
    token_env: Option<String>,
    /// Print the answer as it comes.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Where a webhook is: waiting, in flight, dead or how it ended; its attempts, and why they failed.
    Find {
        /// As in the answer's `hookgate-id` and in the log.
        id: String,
    },
    /// List dead letters, or what waits, in the order of arrival.
    List {
        /// What is held and not delivered yet, instead of dead letters.
        #[arg(long)]
        waiting: bool,
        #[command(flatten)]
        which: Which,
        /// At most so many: 1 to 1000.
        #[arg(long, value_name = "NUMBER", default_value = "100")]
        limit: String,
        /// Go on after this webhook.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Show a webhook that waits, or a dead letter: where it is, its attempts, head and body.
    Show {
        /// The webhook's.
        id: String,
    },
    /// Attempt a webhook again: now if it waits, anew if it is a dead letter.
    Replay {
        #[command(flatten)]
        which: Which,
        /// To this upstream instead of the one that has not taken it.
        #[arg(long, value_name = "UPSTREAM")]
        to: Option<String>,
        /// What waits, instead of dead letters; an ID means both.
        #[arg(long)]
        waiting: bool,
    },
    /// Discard a webhook that waits or is a dead letter: it is delivered no more.
    Discard {
        #[command(flatten)]
        which: Which,
        /// What waits, instead of dead letters; an ID means both.
        #[arg(long)]
        waiting: bool,
    },
}

/// Which ones are meant.
#[derive(Debug, Args)]
struct Which {
    /// Of this webhook.
    id: Option<String>,
    /// Of this route.
    #[arg(long)]
    route: Option<String>,
    /// Not taken by this upstream.
    #[arg(long)]
    upstream: Option<String>,
    /// With this in their reason.
    #[arg(long)]
    reason: Option<String>,
    /// Given up (or arrived, of what waits) at this time or later: so long ago, `10m`, or then,
    /// `2026-11-21T13:00:00Z`.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
}

/// What is said where something would be done without a word about what to.
const WHICH: &str =
    "say which ones: an ID, --route, --upstream, --reason, --since or --until; or --all";

pub(super) fn webhooks(options: &Webhooks) -> Exit {
    let (method, path, query) = match &options.what {
        What::Find { id } => ("GET", "/api/webhooks", vec![("id", &**id)]),
        What::Show { id } => {
            let query = vec![("id", &**id), ("webhook", "true")];
            ("GET", "/api/webhooks", query)
        }
        What::List {
            waiting,
            which,
            limit,
            after,
        } => {
            let path = match waiting {
                true => "/api/waiting",
                false => "/api/dead-letters",
            };
            let mut query = which.query();
            query.push(("limit", limit));
            query.extend(after.as_deref().map(|after| ("after", after)));
            ("GET", path, query)
        }
        What::Replay { which, .. } | What::Discard { which, .. } if which.query().is_empty() => {
            eprintln!("error: {WHICH}");
            return Exit::Usage;
        }
        What::Replay { which, to, waiting } => {
            let mut query = which.query();
            query.extend(to.as_deref().map(|to| ("to", to)));
            let path = match (waiting, &which.id) {
                (true, _) => "/api/waiting/replay",
                (false, Some(_)) => "/api/webhooks/replay",
                (false, None) => "/api/dead-letters/replay",
            };
            ("POST", path, query)
        }
        What::Discard { which, waiting } => {
            let path = match (waiting, &which.id) {
                (true, _) => "/api/waiting/discard",
                (false, Some(_)) => "/api/webhooks/discard",
                (false, None) => "/api/dead-letters/discard",
            };
            ("POST", path, which.query())
        }
    };
    let answer = match ask(options, method, &target(path, &query)) {
        Ok(answer) => answer,
        Err(why) => {
            eprintln!("error: {} did not answer: {why}", options.admin);
            eprintln!(
                "help: a gate's address for operators is its `admin.listen`: --admin ADDRESS, or HOOKGATE_ADMIN"
            );
            return Exit::Failure;
        }
    };
    let text = String::from_utf8_lossy(&answer.body);
    let told = match serde_json::from_slice::<Value>(&answer.body) {
        Ok(told) if answer.status.is_success() => told,
        _ => {
            eprintln!("error: {}", text.trim_end());
            return Exit::Failure;
        }
    };
    let said = match &options.what {
        What::Find { id } => shown::found(id, &told),
        What::Show { id } => shown::webhook(id, &told),
        What::List { waiting: false, .. } => shown::letters(&told),
        What::List { waiting: true, .. } => shown::waiting(&told),
        What::Replay { waiting, .. } | What::Discard { waiting, .. } => {
            shown::done(&told, *waiting)
        }
    };
    if options.json {
        print!("{text}");
    } else {
        print!("{}", said.out);
        eprint!("{}", said.err);
    }
    said.exit
}

impl Which {
    fn query(&self) -> Vec<(&'static str, &str)> {
        let said = [
            ("id", &self.id),
            ("route", &self.route),
            ("upstream", &self.upstream),
            ("reason", &self.reason),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let said = said
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)));
        said.chain(self.all.then_some(("all", "true"))).collect()
    }
}

fn target(path: &str, query: &[(&str, &str)]) -> String {
    let mut target = path.to_owned();
    for (index, (name, value)) in query.iter().enumerate() {
        target.push(if index == 0 { '?' } else { '&' });
        target.push_str(name);
        target.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
                target.push(char::from(byte));
            } else {
                let _ = write!(target, "%{byte:02X}");
            }
        }
    }
    target
}

/// Asks the admin of a gate. Blocking.
fn ask(options: &Webhooks, method: &str, target: &str) -> Result<Answer, String> {
    let url = UpstreamUrl::parse(&format!("http://{}", options.admin))?;
    let settings = UpstreamSettings::new("the admin".into(), url);
    let meters = Telemetry::new().upstream("the admin");
    let upstream = Upstream::new(settings, 1, meters).map_err(|error| error.to_string())?;
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", &*options.admin)
        .header("content-length", 0);
    if let Some(name) = &options.token_env {
        let token =
            std::env::var(name).map_err(|_| format!("environment variable `{name}` is not set"))?;
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request
        .body(Bytes::new())
        .map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .map_err(|error| error.to_string())?
        .block_on(upstream.ask(&request))
}
