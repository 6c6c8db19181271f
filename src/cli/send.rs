//! `hookgate send`: a provider's webhook, as that provider would send it.

use bytes::Bytes;
use http::{Request, Uri};
use tokio::time::Instant;

use super::Send;
use super::exit::Exit;
use super::load::{NO_FILE, Workshop, Written, unreadable};
use super::run::fail;
use crate::config::{self, Colour, Plan, RouteSummary};
use crate::delivery::{Answer, Upstream, UpstreamSettings, UpstreamUrl};
use crate::preset::{self, Algorithm, Call, Order, Preset, Scheme, SignError, Signed, sign};
use crate::secret::Secret;
use crate::telemetry::Telemetry;
use crate::webhook::Arrival;

pub(super) fn send(options: &Send) -> Exit {
    let Some(preset) = preset::find(&options.preset) else {
        let names: Vec<_> = preset::all().iter().map(|preset| preset.name).collect();
        let slip = did_you_mean(&options.preset, names.iter().copied());
        eprintln!(
            "error: no preset is named `{}`{slip}\n\n  there are: {}",
            options.preset,
            names.join(", ")
        );
        return Exit::Usage;
    };
    let event = options.event.as_deref();
    let Some(call) = event.and_then(|event| Call::sample(preset, event)) else {
        let name = preset.name;
        match event {
            None => eprintln!("error: name an event of `{name}`\n\n  there are:"),
            Some(event) => {
                let slip = did_you_mean(event, preset::events(name));
                eprintln!("error: `{name}` has no event `{event}`{slip}\n\n  there are:");
            }
        }
        preset::events(preset.name).for_each(|event| eprintln!("    {event}"));
        return Exit::Usage;
    };
    match prepare(options, preset) {
        Ok(target) => deliver(options, preset, &call, &target),
        Err(exit) => exit,
    }
}

/// A question mark behind a name that is nearly one.
fn did_you_mean<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> String {
    config::meant(word, known).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// What to do where the preset's key is a private one.
const PRIVATE_KEY: &str = "to try it, make a pair, give its public half to the route, \
    and name the private one (PKCS #8, PEM) with --secret-env NAME";

/// Where to, and how it is signed with what.
struct Target {
    to: String,
    /// The URL as the provider has it.
    url: String,
    scheme: Scheme,
    secret: Secret,
}

/// From the command line, else from the configuration.
fn prepare(options: &Send, preset: &Preset) -> Result<Target, Exit> {
    let usage = |text: String| {
        eprintln!("error: {text}");
        Exit::Usage
    };
    let configured = if options.to.is_none() || options.secret_env.is_none() {
        Some(configured(options, preset)?)
    } else {
        None
    };
    let to = match (&options.to, &configured) {
        (Some(to), _) => to.clone(),
        (None, Some((plan, route))) => address(plan, route),
        (None, None) => return Err(usage("name where to send it with --to URL".to_owned())),
    };
    let secret = match (&options.secret_env, &configured) {
        // As it is written: it may be a private key, where the route's is the public one.
        (Some(name), _) if is_asymmetric(&preset.scheme) => preset::read(&format!("env:{name}")),
        (Some(name), _) => preset.key.read(&format!("env:{name}")),
        (None, Some((_, route))) => preset.key.read(route.key.as_deref().unwrap_or_default()),
        (None, None) => preset.key.read(""),
    };
    let secret = secret.map_err(|why| usage(format!("no secret to sign with: {why}")))?;
    let route = configured.map(|(_, route)| route);
    let (scheme, url) = route
        .map(|route| (route.scheme, route.public_url))
        .unwrap_or_default();
    Ok(Target {
        url: url.unwrap_or_else(|| to.clone()),
        scheme: scheme.unwrap_or_else(|| preset.scheme.clone()),
        to,
        secret,
    })
}

fn is_asymmetric(scheme: &Scheme) -> bool {
    matches!(
        scheme.algorithm,
        Algorithm::Ed25519 | Algorithm::EcdsaP256Sha256 | Algorithm::RsaSha1 | Algorithm::RsaSha256
    )
}

fn configured(options: &Send, preset: &Preset) -> Result<(Plan, RouteSummary), Exit> {
    let Some(path) = options.source.find() else {
        match (&options.to, &options.secret_env) {
            (Some(_), None) => eprintln!(
                "error: there is no key to sign with\n\n  name the environment variable that holds it with \
                 --secret-env NAME,\n  or a configuration that has a route for {} with --config FILE",
                preset.name
            ),
            (None, Some(_)) => eprintln!(
                "error: it is not said where to send it\n\n  name a URL with --to URL,\n  or a configuration \
                 that has a route for {} with --config FILE",
                preset.name
            ),
            _ => eprintln!("{NO_FILE}\n  or name both --to URL and --secret-env NAME"),
        }
        return Err(Exit::Usage);
    };
    let workshop = Workshop::new().map_err(|error| fail(&error))?;
    let mut plan = workshop
        .load(&Written::File(path.clone()), None)
        .map_err(|report| {
            eprintln!("{}", report.render(Colour::for_stderr()));
            Exit::Config
        })?;
    let index = plan
        .summary
        .iter()
        .position(|route| route.preset.as_deref() == Some(preset.name));
    match index {
        Some(index) => {
            let route = plan.summary.swap_remove(index);
            Ok((plan, route))
        }
        None => {
            eprintln!(
                "error: no route of {} has the preset `{}`\n\n  name both --to URL and --secret-env NAME",
                path.display(),
                preset.name
            );
            Err(Exit::Usage)
        }
    }
}

/// The URL of a route on this machine.
fn address(plan: &Plan, route: &RouteSummary) -> String {
    let scheme = if plan.listener.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let port = plan
        .listener
        .addresses
        .first()
        .map_or(8080, std::net::SocketAddr::port);
    let host = route
        .host
        .as_deref()
        .filter(|host| !host.starts_with('*'))
        .unwrap_or("localhost");
    format!("{scheme}://{host}:{port}{}", route.path)
}

fn deliver(options: &Send, preset: &Preset, call: &Call, target: &Target) -> Exit {
    let order = Order {
        call,
        scheme: &target.scheme,
        url: &target.url,
        secret: target.secret.expose(),
        tamper: options.tamper,
    };
    let signed = match sign(&order, Arrival::now().unix_ms()) {
        Ok(signed) => signed,
        Err(error @ SignError::PrivateKey(_)) => {
            eprintln!("error: {error}\n\n  {PRIVATE_KEY}");
            return Exit::Failure;
        }
        Err(error) => return fail(&error),
    };
    let to = match (signed.query.as_str(), target.to.contains('?')) {
        ("", _) => target.to.clone(),
        (query, false) => format!("{}?{query}", target.to),
        (query, true) => format!("{}&{query}", target.to),
    };
    let (to, event) = (to.as_str(), call.event.as_str());
    let ca = match &options.ca {
        None => None,
        Some(path) => match std::fs::read(path) {
            Ok(ca) => Some(ca),
            Err(error) => {
                eprintln!("error: --ca: {}", unreadable(path, &error));
                return Exit::Usage;
            }
        },
    };
    let bytes = signed.body.len();
    println!("POST {to}   {} {event}   {bytes} bytes", preset.name);
    let started = Instant::now();
    match post(to, signed, ca) {
        Ok(answer) => {
            let took = started.elapsed().as_secs_f64() * 1_000.0;
            let id = answer.fields.first("hookgate-id").unwrap_or_default();
            let id = std::str::from_utf8(id).unwrap_or_default();
            println!("← {} in {took:.1} ms   {id}", answer.status);
            if !answer.body.is_empty() {
                println!("{}", String::from_utf8_lossy(&answer.body).trim_end());
            }
            if let Some(warning) = preset.gives_up(answer.status.as_u16()) {
                println!("note: {warning}");
            }
            if answer.status.is_success() {
                Exit::Ok
            } else {
                Exit::Failure
            }
        }
        Err(why) => {
            eprintln!("error: {to} did not answer: {why}");
            Exit::Failure
        }
    }
}

/// Sends one call on a connection of its own and waits for the answer. Blocking.
fn post(to: &str, signed: Signed, ca: Option<Vec<u8>>) -> Result<Answer, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .map_err(|error| error.to_string())?
        .block_on(call(to, signed, ca))
}

/// Sends one call on a connection of its own.
///
/// # Errors
/// Why there was no answer, in words.
pub(super) async fn call(to: &str, signed: Signed, ca: Option<Vec<u8>>) -> Result<Answer, String> {
    let uri: Uri = to
        .parse()
        .map_err(|error| format!("`{to}` is no URL: {error}"))?;
    let name = "the gate".into();
    let settings = UpstreamSettings {
        ca,
        ..UpstreamSettings::new(name, UpstreamUrl::parse(to)?)
    };
    let meters = Telemetry::new().upstream("the gate");
    let upstream = Upstream::new(settings, 1, meters).map_err(|error| error.to_string())?;
    let mut request = Request::post(uri.path_and_query().map_or("/", |target| target.as_str()))
        .header(
            "host",
            uri.authority().map_or("", |authority| authority.as_str()),
        )
        .header("content-length", signed.body.len());
    for (name, value) in &signed.fields {
        request = request.header(name, value);
    }
    let request = request
        .body(Bytes::from(signed.body))
        .map_err(|error| error.to_string())?;
    upstream.ask(&request).await
}
