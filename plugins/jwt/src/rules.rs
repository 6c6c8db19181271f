//! What a token must say, from the configuration.

use hookgate_sdk::crypto::Encoding;
use hookgate_sdk::json::Json;
use hookgate_sdk::span;

/// The algorithms, as a token names them (RFC 7518, section 3.1; RFC 8037) and as the host does.
pub const ALGORITHMS: [(&str, &str); 6] = [
    ("HS256", "hmac-sha256"),
    ("HS384", "hmac-sha384"),
    ("HS512", "hmac-sha512"),
    ("RS256", "rsa-v1_5-sha256"),
    ("ES256", "ecdsa-p256-sha256"),
    ("EdDSA", "ed25519"),
];
/// How a digest of the body may be made.
pub const DIGESTS: [&str; 3] = ["sha256", "sha512", "sha1"];
/// How a digest of the body may be written.
pub const ENCODINGS: [&str; 3] = ["hex", "base64", "base64url"];
/// Seconds by which clocks may differ unless the configuration says.
pub const DEFAULT_TOLERANCE_S: u64 = 60;

/// The configuration, as meant.
#[derive(Debug)]
pub struct Rules<'a> {
    /// Where the token is.
    pub header: &'a str,
    /// What stands before it there, in any case.
    pub prefix: &'a str,
    /// As a token names it.
    pub algorithm: &'a str,
    /// As the host names it.
    pub host_algorithm: &'static str,
    /// By whose keys.
    pub keys: Keys<'a>,
    /// Who may have made it; anybody with the key when empty.
    pub issuers: Vec<&'a str>,
    /// For whom it may be; a token for somebody is refused when empty.
    pub audiences: Vec<&'a str>,
    /// Seconds for which a token is good after it was made.
    pub max_age_s: Option<u64>,
    /// Seconds by which clocks may differ.
    pub tolerance_s: u64,
    /// Claims with the values that they may have.
    pub claims: &'a [(std::borrow::Cow<'a, str>, Json<'a>)],
    /// The claim that is a digest of the body.
    pub body: Option<BodyDigest<'a>>,
}

/// The keys that may have signed.
#[derive(Debug, Clone, Copy)]
pub enum Keys<'a> {
    /// Any of this name, whatever the token says.
    Any(&'a str),
    /// The one that the token names.
    Named(&'a Json<'a>),
}

/// A claim that is a digest of the body.
#[derive(Debug, Clone, Copy)]
pub struct BodyDigest<'a> {
    /// Its name.
    pub claim: &'a str,
    /// As the host names it.
    pub algorithm: &'a str,
    /// How it is written.
    pub encoding: Encoding,
}

impl<'a> Rules<'a> {
    /// Reads the configuration.
    ///
    /// # Errors
    /// The field that is wrong, which `check` would have said.
    pub fn read(table: &'a Json<'a>) -> Result<Self, &'static str> {
        let text = |name| table.get(name).and_then(Json::as_text);
        let algorithm = text("algorithm").ok_or("algorithm")?;
        let known = ALGORITHMS.iter().find(|(name, _)| *name == algorithm);
        let (_, host_algorithm) = known.ok_or("algorithm")?;
        let keys = table.get("keys").ok_or("keys")?;
        let seconds = |name: &'static str| match table.get(name) {
            None => Ok(None),
            Some(span) => match span.as_text().and_then(span::seconds) {
                Some(seconds) => Ok(Some(seconds)),
                None => Err(name),
            },
        };
        Ok(Self {
            header: text("header").ok_or("header")?,
            prefix: text("prefix").unwrap_or_default(),
            algorithm,
            host_algorithm,
            keys: match keys.as_text() {
                Some(name) => Keys::Any(name),
                None => Keys::Named(keys),
            },
            issuers: texts(table.get("issuer")),
            audiences: texts(table.get("audience")),
            max_age_s: seconds("max_age")?,
            tolerance_s: seconds("tolerance")?.unwrap_or(DEFAULT_TOLERANCE_S),
            claims: table.get("claims").map(Json::members).unwrap_or_default(),
            body: table.get("body").map(BodyDigest::read).transpose()?,
        })
    }
}

impl<'a> BodyDigest<'a> {
    fn read(table: &'a Json<'a>) -> Result<Self, &'static str> {
        let text = |name| table.get(name).and_then(Json::as_text);
        Ok(Self {
            claim: text("claim").ok_or("body")?,
            algorithm: text("algorithm").unwrap_or("sha256"),
            encoding: match text("encoding") {
                None | Some("hex") => Encoding::Hex,
                Some("base64") => Encoding::Base64,
                Some("base64url") => Encoding::Base64url,
                Some(_) => return Err("body"),
            },
        })
    }
}

/// One text or a list of them.
fn texts<'a>(value: Option<&'a Json<'a>>) -> Vec<&'a str> {
    match value {
        None => Vec::new(),
        Some(Json::Text(one)) => vec![one],
        Some(several) => several
            .elements()
            .iter()
            .filter_map(Json::as_text)
            .collect(),
    }
}
