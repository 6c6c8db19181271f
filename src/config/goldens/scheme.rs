//! Of the plugin `signature`: for each way in which a scheme lets its sender sign, the provider's first
//! sample, or a call that has what the scheme looks at.

use std::fmt;

use http::{HeaderName, HeaderValue, Method};

use super::pair::{self, Pair};
use super::{
    ARRIVAL_MS, Covers, Golden, Goldens, HELP, PATH, Place, URL, Untried, header, keyring,
};
use crate::config::signature::KEYS;
use crate::preset::{
    Algorithm, Call, Direction, Order, Preset, Scheme, SignError, Signed, Variant, escape, sign,
};

const SHA1_HELP: &str = "if the sender signs with SHA-256, `variants = []` refuses the older way";

/// Why there is no golden webhook.
enum Why {
    Signed(SignError),
    /// It has a part that no webhook can have.
    Made,
}

impl Why {
    fn told(&self, algorithm: Algorithm) -> Untried {
        let because: &dyn fmt::Display = match self {
            Self::Signed(error) => error,
            Self::Made => &"no webhook can be made up that this scheme accepts",
        };
        let algorithm = algorithm.as_str();
        Untried {
            what: format!("no forgery of `{algorithm}` is tried at load: {because}"),
            help: match self {
                Self::Signed(SignError::Sha1) => SHA1_HELP,
                Self::Signed(_) | Self::Made => HELP,
            },
        }
    }
}

/// The golden webhooks of a scheme, and its ways of signing that have none.
pub(super) fn goldens(scheme: &Scheme, preset: Option<&'static Preset>) -> Goldens {
    let mut goldens = Goldens::default();
    let ways = std::iter::once(None).chain(scheme.variants.iter().map(Some));
    for variant in ways {
        let way = way(scheme, variant);
        let mut call = Call::of(preset.map(|preset| preset.name));
        call.complete(&way);
        if let Some(variant) = variant {
            call.satisfy(&variant.when);
            call.satisfy(&variant.require);
        }
        match golden(&way, &call) {
            Ok(golden) => goldens.made.push(golden),
            Err(why) => goldens.untried.push(why.told(way.algorithm)),
        }
    }
    goldens
}

/// The scheme as it is when a variant is meant.
fn way(scheme: &Scheme, variant: Option<&Variant>) -> Scheme {
    let mut way = scheme.clone();
    if let Some(variant) = variant {
        way.algorithm = variant.algorithm.unwrap_or(way.algorithm);
        if let Some(signed) = &variant.signed {
            way.signed.clone_from(signed);
        }
    }
    way
}

fn golden(scheme: &Scheme, call: &Call) -> Result<Golden, Why> {
    let pair = pair::of(scheme.algorithm).ok_or(Why::Made)?;
    let order = Order {
        call,
        scheme,
        url: URL,
        secret: &pair.private,
        tamper: false,
    };
    let signed = sign(&order, ARRIVAL_MS).map_err(Why::Signed)?;
    webhook(scheme, call, &signed, pair).ok_or(Why::Made)
}

fn webhook(scheme: &Scheme, call: &Call, signed: &Signed, pair: &Pair) -> Option<Golden> {
    let fields = signed.fields.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    let mut signature = signed.proof.clone();
    let place = if scheme.signature.header.is_some() {
        // What is signed last is put last.
        header(&signed.fields.last()?.0)?
    } else if let Some(name) = &scheme.signature.query {
        signature = escape(&signature);
        Place::Query(escape(name).into())
    } else {
        Place::Body
    };
    let target = match signed.query.as_str() {
        "" => PATH.to_owned(),
        query => format!("{PATH}?{query}"),
    };
    let time = scheme.timestamp.as_ref();
    Some(Golden {
        name: call.event.as_str().into(),
        method: Method::from_bytes(call.method.as_bytes()).ok()?,
        target: target.parse().ok()?,
        fields: fields.collect::<Option<_>>()?,
        body: signed.body.clone().into(),
        received_at_ms: ARRIVAL_MS,
        public_url: Some(URL.into()),
        keys: keyring(KEYS, pair),
        place,
        signature: signature.into(),
        covers: Covers {
            body: scheme.covers_body(),
            past: time.is_some(),
            future: time.is_some_and(|time| time.direction == Direction::Both),
        },
    })
    .filter(has_its_signature)
}

/// What has no signature to change makes no forgeries.
fn has_its_signature(golden: &Golden) -> bool {
    match &golden.place {
        Place::Header(name) => (golden.fields.iter()).any(|(known, value)| {
            known == name
                && value
                    .to_str()
                    .is_ok_and(|text| text.contains(&*golden.signature))
        }),
        Place::Query(_) => golden.target.as_str().contains(&*golden.signature),
        Place::Body => String::from_utf8_lossy(&golden.body).contains(&*golden.signature),
    }
}
