//! Where secrets are looked up: the environment, files, systemd's credentials. What is found goes into
//! a [`Secret`] and nowhere else; no problem ever shows a part of it.

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::problem::{Problem, Problems};
use super::shapes::{Published, PublishedKeys, SecretRef, SecretSource};
use super::upstreams::CA_BYTES_MAX;
use super::with::Origin;
use super::words;
use crate::delivery::UpstreamUrl;
use crate::fetch::{self, Certified, What};
use crate::plugin::At;
use crate::preset::{self, Certificate, EventName, KeyFormat, SecretEncoding};
use crate::secret::Secret;
use crate::webhook::Scheme;

/// The largest key is an RSA one in PEM, some 4 KiB; more is a file named by mistake.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// How often published keys are fetched anew: owners put new keys up for days before they sign by them.
const REFRESH: Duration = Duration::from_hours(1);
const REFRESH_MIN: Duration = Duration::from_mins(1);
const REFRESH_MAX: Duration = Duration::from_hours(24);

/// Reads an environment variable; an argument, so that nothing deep down depends on the process.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where to look.
#[derive(Clone, Copy)]
pub(super) struct Lookup<'a> {
    /// The folder of the configuration file.
    pub base: &'a Path,
    pub environment: Environment<'a>,
}

/// What a text without `encoding` and `prefix` of its own stands for.
pub(super) const TEXT: KeyFormat = KeyFormat {
    encoding: SecretEncoding::Utf8,
    prefix: None,
};

/// A secret, and the name under which logs may mention it.
#[derive(Debug)]
pub(super) struct Found {
    /// `env:NAME`, `file:PATH` or `credential:NAME`.
    pub label: String,
    pub secret: Secret,
}

/// Why there is no secret: what is wrong, and the cure.
struct Missing(String, String);

impl Lookup<'_> {
    /// A path of the file, seen from its folder.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.base.join(written)
    }

    /// A label as another process of this machine finds it: with the path seen from here.
    pub(super) fn address(&self, label: &str) -> String {
        match label.strip_prefix("file:") {
            Some(path) => format!("file:{}", self.path(path).display()),
            None => label.to_owned(),
        }
    }

    /// Looks a secret up; what is wrong with it is noted at `span`.
    pub(super) fn secret(
        &self,
        at: &SecretRef,
        format: &KeyFormat,
        span: &Range<usize>,
        problems: &mut Problems,
    ) -> Option<Found> {
        let format = KeyFormat {
            encoding: at.encoding.unwrap_or(format.encoding),
            prefix: at.prefix.clone().or_else(|| format.prefix.clone()),
        };
        // What is in PEM is a public key, and no secret.
        let is_secret = format.encoding != SecretEncoding::Pem;
        let (label, text) = match self.fetch(&at.source, is_secret, span, problems) {
            Ok(found) => found,
            Err(Missing(message, help)) => {
                problems.push(Problem::error(span.clone(), message).help(help));
                return None;
            }
        };
        match format.decode(text.expose()) {
            Ok(secret) if secret.is_empty() => {
                problems.push(
                    Problem::error(
                        span.clone(),
                        format!("the secret of {} is empty", named(&at.source)),
                    )
                    .help("anybody can sign with an empty key"),
                );
                None
            }
            Ok(secret) => Some(Found { label, secret }),
            Err(what) => {
                problems.push(
                    Problem::error(
                        span.clone(),
                        format!("the secret of {} is not {what}", named(&at.source)),
                    )
                    .help(r#"say how it is written: encoding = "utf8", "base64", "hex" or "pem""#),
                );
                None
            }
        }
    }

    /// Looks up a key, which may also be a set that is to be fetched.
    pub(super) fn key(
        &self,
        at: &SecretRef,
        (format, certificate): (&KeyFormat, Option<&Certificate>),
        span: &Range<usize>,
        problems: &mut Problems,
    ) -> Option<Origin> {
        let SecretSource::Published(published) = &at.source else {
            let found = self.secret(at, format, span, problems);
            return found.map(Origin::Here);
        };
        match self.published(published, certificate) {
            Ok(settings) => Some(Origin::Published(settings)),
            Err(Missing(message, help)) => {
                problems.push(Problem::error(span.clone(), message).help(help));
                None
            }
        }
    }

    fn published(
        &self,
        at: &Published,
        certificate: Option<&Certificate>,
    ) -> Result<fetch::Settings, Missing> {
        let what = match (&at.what, certificate) {
            (PublishedKeys::Set(url), _) => What::Set(set(url)?),
            (PublishedKeys::Certificates(host), Some(certificate)) => {
                What::Certificates(certified(host, certificate)?)
            }
            (PublishedKeys::Certificates(_), None) => {
                return Err(Missing(
                    "nobody says where webhooks name their certificate".to_owned(),
                    format!(
                        "it is known of the presets {}",
                        words::listed(&with_certificates())
                    ),
                ));
            }
        };
        let ca = at
            .ca
            .as_ref()
            .map(|path| read(&self.path(path), CA_BYTES_MAX));
        let ca = ca.transpose().map_err(|error| {
            let written = at.ca.as_deref().unwrap_or_default();
            Missing(
                format!("cannot read `{written}`: {error}"),
                "paths are relative to the configuration file".to_owned(),
            )
        })?;
        let refresh = at.refresh.map_or(REFRESH, |time| time.0);
        if !(REFRESH_MIN..=REFRESH_MAX).contains(&refresh) {
            return Err(Missing(
                "keys are fetched anew every minute to every day".to_owned(),
                r#"most owners ask for refresh = "1h""#.to_owned(),
            ));
        }
        Ok(fetch::Settings {
            what,
            ca,
            private: at.private,
            refresh,
        })
    }

    fn fetch(
        &self,
        source: &SecretSource,
        is_secret: bool,
        span: &Range<usize>,
        problems: &mut Problems,
    ) -> Result<(String, Secret), Missing> {
        let (label, bytes) = match source {
            SecretSource::Env(name) => {
                let value = (self.environment)(name).ok_or_else(|| {
                    if is_secret && !is_name(name) {
                        problems.mask(span.clone());
                        return Missing(
                            "there is no environment variable of this name".to_owned(),
                            "it is hidden because it may be the secret itself: write the NAME of a variable that holds it".to_owned(),
                        );
                    }
                    let cure = r#"set it where Hookgate is started, or use { file = "PATH" }"#;
                    Missing(
                        format!("environment variable `{name}` is not set"),
                        cure.to_owned(),
                    )
                })?;
                (format!("env:{name}"), Secret::new(value.into_bytes()))
            }
            SecretSource::File(written) => {
                let path = self.path(written);
                let bytes = read(&path, SECRET_BYTES_MAX).map_err(|error| {
                    Missing(
                        format!("cannot read the secret file `{written}`: {error}"),
                        "paths are relative to the configuration file".to_owned(),
                    )
                })?;
                if is_secret && is_readable_by_all(&path) {
                    problems.push(
                        Problem::warning(
                            span.clone(),
                            format!(
                                "every user of this machine can read the secret file `{written}`"
                            ),
                        )
                        .help(format!("chmod 600 {written}")),
                    );
                }
                (format!("file:{written}"), without_newline(bytes))
            }
            SecretSource::Credential(name) => {
                (format!("credential:{name}"), self.credential(name)?)
            }
            SecretSource::Published(_) => {
                return Err(Missing(
                    "what everybody can fetch is no secret".to_owned(),
                    "`jwks` is for plugins that check signatures by public keys".to_owned(),
                ));
            }
        };
        // Raw key files may begin or end with any byte; text with a blank at its end is a slip of the hand.
        let text = std::str::from_utf8(bytes.expose()).unwrap_or_default();
        if text.trim().len() != text.len() {
            let message = format!(
                "the secret of {} has blanks or newlines around it",
                named(source)
            );
            return Err(Missing(
                message,
                "take them away: they would be part of the key".to_owned(),
            ));
        }
        if bytes.is_empty() {
            let message = format!("the secret of {} is empty", named(source));
            return Err(Missing(
                message,
                "anybody can sign with an empty key".to_owned(),
            ));
        }
        Ok((label, bytes))
    }

    fn credential(&self, name: &str) -> Result<Secret, Missing> {
        if name.contains('/') || name.is_empty() {
            return Err(Missing(
                format!("`{name}` is not the name of a credential"),
                "it is a name without `/`".to_owned(),
            ));
        }
        let folder = (self.environment)("CREDENTIALS_DIRECTORY").ok_or_else(|| {
            let cure = format!("start Hookgate by systemd with `LoadCredential={name}:PATH`");
            Missing(
                format!("there is no credential `{name}`: systemd passed none"),
                cure,
            )
        })?;
        let bytes = read(&Path::new(&folder).join(name), SECRET_BYTES_MAX).map_err(|error| {
            let cure = format!("add `LoadCredential={name}:PATH` to the unit");
            Missing(
                format!("cannot read the credential `{name}`: {error}"),
                cure,
            )
        })?;
        Ok(without_newline(bytes))
    }
}

fn set(text: &str) -> Result<UpstreamUrl, Missing> {
    let url = UpstreamUrl::parse(text)
        .map_err(|why| Missing(why, r#"write jwks = "https://...""#.to_owned()))?;
    match url.scheme() == Scheme::Https && url.base().is_some() {
        true => Ok(url),
        false => Err(Missing(
            "keys are fetched by `https`, from a path".to_owned(),
            "whoever can change them on the way can sign webhooks".to_owned(),
        )),
    }
}

fn certified(host: &str, certificate: &Certificate) -> Result<Certified, Missing> {
    let labels: Vec<&str> = host.split('.').collect();
    // Anybody can have a name below most names of two labels.
    let is_wide = labels.len() < 3 || labels.iter().rev().take(2).any(|label| *label == "*");
    let is_host = labels.iter().all(|label| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-:".contains(&byte);
        *label == "*" || (!label.is_empty() && label.bytes().all(fits))
    });
    if is_wide || !is_host {
        return Err(Missing(
            format!(
                "`{}` is not the host of a sender's certificates",
                host.escape_debug()
            ),
            "write three labels or more; `*` stands for one of them, and not for the last two"
                .to_owned(),
        ));
    }
    Ok(Certified {
        at: match &certificate.at {
            EventName::Header(name) => At::Header(name.as_str().into()),
            EventName::Pointer(pointer) => At::Pointer(pointer.as_str().into()),
        },
        host: host.to_owned(),
        suffix: certificate.suffix.clone(),
        names: certificate.names.clone(),
    })
}

fn with_certificates() -> Vec<&'static str> {
    let presets = preset::all().iter();
    presets
        .filter(|preset| preset.certificate.is_some())
        .map(|preset| preset.name)
        .collect()
}

/// Reads a file of at most `bytes_max`.
///
/// # Errors
/// In words without the path.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
    let words = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "the permission is missing".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(words)?;
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(words)?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("it is larger than {} KiB", bytes_max >> 10));
    }
    Ok(bytes)
}

fn named(source: &SecretSource) -> String {
    match source {
        SecretSource::Env(name) => format!("environment variable `{name}`"),
        SecretSource::File(path) => format!("file `{path}`"),
        SecretSource::Credential(name) => format!("credential `{name}`"),
        SecretSource::Published(_) => "keys that are fetched".to_owned(),
    }
}

/// Editors and `echo` end a file with a newline that nobody means.
fn without_newline(mut bytes: Vec<u8>) -> Secret {
    if std::str::from_utf8(&bytes).is_ok() && bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Secret::new(bytes)
}

/// Whether it is written as variables are (POSIX.1-2024, 8.1), and not as secrets mostly are.
fn is_name(text: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    text.bytes().all(is_of_name)
}

#[cfg(unix)]
fn is_readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_all(_: &Path) -> bool {
    false
}

/// SHA-256 digests are written in hex, too.
pub(super) fn sha256(text: &str) -> Option<[u8; 32]> {
    let hex = KeyFormat {
        encoding: SecretEncoding::Hex,
        prefix: None,
    };
    hex.decode(text.as_bytes()).ok()?.expose().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::without_newline;

    #[test]
    fn exactly_one_newline_at_the_end_of_a_file_is_not_part_of_the_secret() {
        for (file, secret) in [
            ("s\n", "s"),
            ("s\r\n", "s"),
            ("s\n\n", "s\n"),
            ("s", "s"),
            (" s", " s"),
        ] {
            assert_eq!(
                without_newline(file.as_bytes().to_vec()).expose(),
                secret.as_bytes(),
                "{file:?}"
            );
        }
    }
}
