//! `hookgate explain`: what a route would say to a captured webhook, and why. Shows what was signed and
//! which key matched; never a key, never a MAC that was computed.

mod captured;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use clap::Args;
use http::uri::PathAndQuery;
use jiff::Timestamp;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use self::captured::Captured;
use super::Source;
use super::exit::Exit;
use super::load::{self, Workshop};
use super::run::fail;
use crate::config::Plan;
use crate::gate::Route;
use crate::plugin::{Failure, Verdict};
use crate::preset::{self, Preset};
use crate::route::Found;
use crate::telemetry::{Checked, Checking, Event, Signed, Telemetry};
use crate::webhook::{Arrival, Scheme, Webhook, WebhookId};

/// Of a body inside of what was signed; its length is told, too.
const BODY_BYTES_SHOWN: usize = 256;
/// Of a signature: enough to find it in the request.
const SIGNATURE_CHARS_SHOWN: usize = 12;
/// A captured webhook is read whole.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// What can be asked.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The captured webhook: a raw request, or JSON with `method`, `target`, `headers` and `body`.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    source: Source,
    /// Ask this route. Without it: the one that would take the webhook.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Judge it as of this time (RFC 3339). Without it: what the JSON says, else now.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

pub(super) fn explain(options: &Explain) -> Exit {
    let usage = |text: &str| {
        eprintln!("error: {text}");
        Exit::Usage
    };
    let name = options.file.display();
    let bytes = match std::fs::metadata(&options.file) {
        Ok(file) if file.len() > FILE_BYTES_MAX => {
            return usage(&format!("`{name}` is larger than 64 MiB"));
        }
        _ => std::fs::read(&options.file),
    };
    let captured = match bytes {
        Ok(bytes) => Captured::read(&bytes),
        Err(error) => return usage(&load::unreadable(&options.file, &error)),
    };
    let captured = match captured {
        Ok(captured) => captured,
        Err(why) => return usage(&format!("`{name}` is no captured webhook: {why}")),
    };
    let (workshop, plan) = match load::plan(&options.source, Workshop::small()) {
        Ok(made) => made,
        Err(exit) => return exit,
    };
    let route = match find(&plan, &captured, options.route.as_deref()) {
        Ok(route) => route,
        Err(why) => return usage(&why),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    match runtime {
        Ok(runtime) => {
            let mut routes = plan.summary.iter();
            let summary = routes.find(|summary| *summary.name == *route.name);
            let preset = summary.and_then(|summary| preset::find(summary.preset.as_deref()?));
            let telemetry = &workshop.telemetry;
            tell(options, &captured, (&route, preset), telemetry, &runtime)
        }
        Err(error) => fail(&error),
    }
}

fn find(plan: &Plan, captured: &Captured, named: Option<&str>) -> Result<Arc<Route>, String> {
    if let Some(name) = named {
        let route = plan
            .routes
            .table
            .values()
            .find(|route| &*route.name == name);
        return route.cloned().ok_or_else(|| {
            let names: Vec<&str> = plan.summary.iter().map(|route| &*route.name).collect();
            format!(
                "there is no route `{name}`; there are: {}",
                names.join(", ")
            )
        });
    }
    let host = captured.fields.first("host");
    let host = host.and_then(|host| std::str::from_utf8(host).ok());
    let host = captured
        .uri
        .host()
        .or(host.and_then(|host| host.split(':').next()));
    let (method, path) = (&captured.method, captured.uri.path());
    match plan.routes.table.lookup(host, method, path) {
        Found::Route(route) => Ok(Arc::clone(route)),
        Found::MethodNotAllowed(allow) => Err(format!(
            "no route takes {method} {path}; it is there for {}; name one with --route",
            allow.to_str().unwrap_or_default()
        )),
        Found::Nothing => Err(format!(
            "no route takes {method} {path}; name one with --route"
        )),
    }
}

fn tell(
    options: &Explain,
    captured: &Captured,
    (route, preset): (&Route, Option<&Preset>),
    telemetry: &Telemetry,
    runtime: &Runtime,
) -> Exit {
    let at = options.at.or(captured.received_at);
    let webhook = webhook(captured, route, at, captured.body.clone());
    println!(
        "{} {}   route {}   {} bytes of body   received {}",
        webhook.method,
        webhook.target.as_str().escape_debug(),
        route.name,
        webhook.body.len(),
        at.map_or_else(|| "now".to_owned(), |at| at.to_string()),
    );
    if let Some(remark) = &captured.remark {
        println!("note: {remark}");
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&heard);
    let heard_by = telemetry.clone().heard_by(move |event| {
        // A panic under the lock leaves the list valid: every change is one push.
        let mut heard = ears.lock().unwrap_or_else(PoisonError::into_inner);
        heard.extend(lines(event));
    });
    let said = runtime.block_on(route.chain.judge(&webhook, &route.upstreams, &heard_by));
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    heard.iter().for_each(|line| println!("{line}"));
    println!("{}", verdict(&said));
    let status = match &said {
        Ok(Verdict::Rejected { status, .. }) => *status,
        Ok(_) => return Exit::Ok,
        Err(_) => return Exit::Failure,
    };
    if let Some(warning) = preset.and_then(|preset| preset.gives_up(status)) {
        println!("note: {warning}");
    }
    for (words, body) in variants(&captured.body) {
        let other = self::webhook(captured, route, at, body);
        let judging = route.chain.judge(&other, &route.upstreams, telemetry);
        if !matches!(
            runtime.block_on(judging),
            Ok(Verdict::Rejected { .. }) | Err(_)
        ) {
            println!("but: {words}, it would be accepted; the file is not what was sent");
        }
    }
    Exit::Failure
}

fn webhook(captured: &Captured, route: &Route, at: Option<Timestamp>, body: Bytes) -> Arc<Webhook> {
    let arrival = at.map_or_else(Arrival::now, |at| {
        Arrival::stored(at.into(), Instant::now())
    });
    let target = captured.uri.path_and_query().cloned();
    Arc::new(Webhook {
        id: WebhookId::new(arrival),
        route: Arc::clone(&route.name),
        method: captured.method.clone(),
        target: target.unwrap_or_else(|| PathAndQuery::from_static("/")),
        authority: captured.uri.authority().map(|name| name.as_str().into()),
        scheme: Scheme::Https,
        fields: captured.fields.clone(),
        body,
        arrival,
        sender: IpAddr::V4(Ipv4Addr::LOCALHOST),
        public_url: route.public_url.clone(),
    })
}

/// What happens to bodies on their way into a file.
fn variants(body: &Bytes) -> Vec<(&'static str, Bytes)> {
    let mut variants = Vec::new();
    let mut add = |words, other: Vec<u8>| {
        if other != *body {
            variants.push((words, Bytes::from(other)));
        }
    };
    let with = |from: &str, to: &str| match std::str::from_utf8(body) {
        Ok(text) => text.replace(from, to).into_bytes(),
        Err(_) => body.to_vec(),
    };
    let trimmed = body.strip_suffix(b"\n").unwrap_or(body);
    add(
        "without the newline at its end",
        trimmed.strip_suffix(b"\r").unwrap_or(trimmed).to_vec(),
    );
    add("with a newline at its end", [&body[..], b"\n"].concat());
    add("with line ends \\n for \\r\\n", with("\r\n", "\n"));
    add(
        "with line ends \\r\\n for \\n",
        with("\r\n", "\n")
            .split(|byte| *byte == b'\n')
            .collect::<Vec<_>>()
            .join(&b"\r\n"[..]),
    );
    add(
        "without the byte order mark",
        body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).to_vec(),
    );
    variants
}

/// What an event tells about the verdict.
fn lines(event: &Event<'_>) -> Vec<String> {
    match event {
        Event::SignatureChecked(Checking {
            plugin,
            key,
            algorithm,
            message,
            signature,
            encoding,
            checked,
        }) => {
            let shown: String = signature.chars().take(SIGNATURE_CHARS_SHOWN).collect();
            let shown = shown.escape_debug();
            let length = signature.chars().count();
            let became = match checked {
                Checked::Matches(label) => format!("made by `{}`", label.escape_debug()),
                Checked::MatchesNone(1) => "not made by the only key".to_owned(),
                Checked::MatchesNone(keys) => format!("made by none of the {keys} keys"),
                Checked::Impossible(word) => format!("cannot be checked: {word}"),
            };
            vec![
                format!("  {} checks a signature", plugin.name),
                format!("    key        `{}`", key.escape_debug()),
                format!("    algorithm  {}, {encoding}", algorithm.escape_debug()),
                format!("    signed     {}", signed(message)),
                format!("    signature  {shown}… ({length} characters)"),
                format!("    so it was  {became}"),
            ]
        }
        Event::Judged {
            plugin,
            stage,
            verdict,
            ..
        } => vec![format!("  {} {stage}: {verdict}", plugin.name)],
        Event::PluginFailed {
            plugin,
            stage,
            kind,
            detail,
            policy,
            ..
        } => vec![format!(
            "  {} {stage}: failed ({kind}, {policy}): {detail}",
            plugin.name
        )],
        Event::GuestSaid {
            plugin, message, ..
        } => vec![format!(
            "  {} says: {}",
            plugin.name,
            message.escape_debug()
        )],
        _ => Vec::new(),
    }
}

/// The string that was signed; a long body is cut.
fn signed(message: &[Signed<'_>]) -> String {
    let pieces = message.iter().map(|piece| match piece {
        Signed::Given(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        Signed::Header(name, bytes) => {
            format!(
                "\"{}\" (header `{}`)",
                bytes.escape_ascii(),
                name.escape_debug()
            )
        }
        Signed::Body(body) => {
            let shown = body.get(..BODY_BYTES_SHOWN).unwrap_or(body);
            let more = if shown.len() < body.len() { "…" } else { "" };
            format!(
                "\"{}{more}\" (the body, {} bytes)",
                shown.escape_ascii(),
                body.len()
            )
        }
    });
    pieces.collect::<Vec<_>>().join(" + ")
}

fn verdict(said: &Result<Verdict, Failure>) -> String {
    match said {
        Ok(Verdict::Accepted(accepted)) => {
            format!(
                "accepted: {} to make",
                match accepted.overlays().len() {
                    1 => "1 delivery".to_owned(),
                    several => format!("{several} deliveries"),
                }
            )
        }
        Ok(Verdict::Dropped { plugin, reason }) => {
            format!("dropped by {plugin}: {}", reason.escape_debug())
        }
        Ok(Verdict::Rejected {
            plugin,
            status,
            reason,
        }) => format!(
            "rejected with {status} by {plugin}: {}",
            reason.escape_debug()
        ),
        Ok(Verdict::Responded { plugin, response }) => {
            format!("answered with {} by {plugin}", response.status.as_u16())
        }
        Err(failure) => format!("failed: {failure}"),
    }
}
