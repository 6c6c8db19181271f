//! The page for a person: is it healthy, what is configured, where does it pile up. No script.

use std::fmt::{self, Write};
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes as Body;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use super::reply;
use super::views::Overview;

/// The only style; the policy names it by its hash.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}\
th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8884;vertical-align:top}\
th{font-weight:600}code{font-family:ui-monospace,monospace}";

/// Only our own style may be applied; nothing may be loaded, run, framed or submitted.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).ok()
});

/// `GET /`.
pub(super) fn answer(overview: &Overview) -> Response<Full<Body>> {
    let mut html = String::new();
    if write(&mut html, overview).is_err() {
        return reply::sentence(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the page cannot be written",
        );
    }
    let mut response = reply::text(StatusCode::OK, "text/html; charset=utf-8", html);
    // Without it the strict default stays: a page without style beats one without a policy.
    if let Some(policy) = &*POLICY {
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    }
    response
}

fn write(html: &mut String, overview: &Overview) -> fmt::Result {
    let Overview {
        version,
        phase,
        uptime_s,
        state,
    } = overview;
    write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Hookgate: {phase}</title>\n<style>{STYLE}</style>\n\
         <h1>Hookgate {version}</h1>\n<p><strong>{phase}</strong>, up {}. \
         <a href=\"/api/waiting\">{} of {} deliveries</a> and {} of {} wait in the buffer; \
         <a href=\"/api/dead-letters\">{} dead letters</a>; \
         <a href=\"/metrics\">metrics</a>, <a href=\"/api/state\">state</a>.</p>\n",
        Uptime(*uptime_s),
        state.buffer.deliveries,
        state.buffer.deliveries_max,
        Bytes(state.buffer.bytes),
        Bytes(state.buffer.bytes_max),
        state.dead_letters,
    )?;
    html.push_str(
        "<h2>Routes</h2>\n<table>\n<tr><th>route<th>path<th>plugins<th>ack<th>upstreams\n",
    );
    for route in &state.routes {
        writeln!(
            html,
            "<tr><td>{}<td><code>{}{}</code><td>{}<td>{}<td>{}",
            Text(&route.name),
            Text(route.host.as_deref().unwrap_or_default()),
            Text(&route.path),
            Text(&route.plugins.join(" ▸ ")),
            Text(route.ack),
            Text(&route.upstreams.join(", ")),
        )?;
    }
    html.push_str(
        "</table>\n<h2>Upstreams</h2>\n<table>\n<tr><th>upstream<th>url<th>in flight<th>breaker\n",
    );
    for upstream in &state.upstreams {
        let (name, url) = (Text(&upstream.name), Text(&upstream.url));
        let (in_flight, concurrency) = (upstream.in_flight, upstream.concurrency);
        let breaker = Text(upstream.breaker);
        writeln!(
            html,
            "<tr><td>{name}<td><code>{url}</code><td>{in_flight} of {concurrency}<td>{breaker}"
        )?;
    }
    html.push_str("</table>\n</html>\n");
    Ok(())
}

/// Text between tags.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => f.write_char(c),
        })
    }
}

/// Bytes, in the largest unit that they fill, with one digit more where that says something.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u32, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        let unit = UNITS.iter().find(|(shift, _)| self.0 >> shift > 0);
        let Some((shift, unit)) = unit else {
            return write!(f, "{} bytes", self.0);
        };
        let (whole, rest) = (self.0 >> shift, self.0 & ((1 << shift) - 1));
        match (rest * 10) >> shift {
            0 => write!(f, "{whole} {unit}"),
            tenth => write!(f, "{whole}.{tenth} {unit}"),
        }
    }
}

/// Seconds, in the two largest units.
struct Uptime(u64);

impl fmt::Display for Uptime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, hours, minutes) = (self.0 / 86_400, self.0 / 3_600 % 24, self.0 / 60 % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{} s", self.0),
            (0, 0, _) => write!(f, "{minutes} min"),
            (0, _, _) => write!(f, "{hours} h {minutes} min"),
            _ => write!(f, "{days} d {hours} h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn bytes_are_shown_in_the_unit_that_a_person_would_choose() {
        for (bytes, shown) in [
            (0, "0 bytes"),
            (1_023, "1023 bytes"),
            (1_024, "1 KiB"),
            (1_536, "1.5 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (256 << 20, "256 MiB"),
            (3 << 29, "1.5 GiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), shown);
        }
    }
}
