//! Certificates that webhooks name: fetched from the hosts that the configuration allows, and believed
//! when they are whose they should be, in their time, and signed by somebody whom we trust.

use std::collections::BTreeMap;
use std::iter::repeat;
use std::sync::{Arc, MutexGuard, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, RootCertStore};
use tokio::time::Instant;

use super::{Certified, Pace, Settings, Source, Unfetched, fetch, keep, kept};
use crate::delivery::UpstreamUrl;
use crate::plugin::{Catalog, Key};
use crate::telemetry::{Event, Telemetry};

impl Source {
    /// With those that an earlier start has kept, as far as they are still believed.
    pub(super) fn of_certificates(
        settings: Settings,
        certified: &Certified,
        catalog: &Catalog,
    ) -> Self {
        let Certified {
            at, host, suffix, ..
        } = certified;
        let key = Key::certified(settings.label(), at.clone(), host, suffix);
        let kept = kept(catalog, &settings).map(|(_age, bytes)| bytes);
        let kept: BTreeMap<String, String> = kept
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let due = Instant::now() + settings.refresh;
        let source = Self::new(settings, catalog, key, due);
        for (url, pem) in kept {
            if let Ok(key) = public_key(&source.settings, certified, &url, pem.as_bytes()) {
                source
                    .key
                    .settle_certificate(&url, Ok(Some(key)), Instant::now());
                source.certificates().insert(url, pem);
            }
        }
        source
    }

    /// Fetches those that are wanted, and lets go of those whose time is over.
    pub(super) async fn look_after(&self, certified: &Certified, telemetry: &Telemetry) {
        for url in self.key.wanted_certificates() {
            self.fetch_certificate(certified, &url, telemetry).await;
        }
        let now = Instant::now();
        if self.pace().due > now {
            return;
        }
        self.certificates().retain(|url, pem| {
            let is_believed = public_key(&self.settings, certified, url, pem.as_bytes()).is_ok();
            if !is_believed {
                self.key.settle_certificate(url, Ok(None), now);
            }
            is_believed
        });
        self.keep_certificates();
        let due = now + self.settings.refresh;
        *self.pace() = Pace { due, failures: 0 };
    }

    fn keep_certificates(&self) {
        let all = serde_json::to_vec(&*self.certificates()).unwrap_or_default();
        keep(&self.catalog, &self.settings, &all);
    }

    async fn fetch_certificate(&self, certified: &Certified, url: &str, telemetry: &Telemetry) {
        let started = Instant::now();
        let fetched = match UpstreamUrl::parse(url) {
            Ok(parsed) => fetch(&self.settings, &parsed).await,
            Err(why) => Err(Unfetched::Refused(why)),
        };
        let believed = fetched.and_then(|pem| {
            let key =
                public_key(&self.settings, certified, url, &pem).map_err(Unfetched::Refused)?;
            Ok((key, String::from_utf8_lossy(&pem).into_owned()))
        });
        let (now, source) = (Instant::now(), url);
        match believed {
            Ok((key, pem)) => {
                self.key.settle_certificate(url, Ok(Some(key)), now);
                self.certificates().insert(url.to_owned(), pem);
                self.keep_certificates();
                let took = now.duration_since(started);
                telemetry.emit(&Event::KeysFetched {
                    source,
                    keys: 1,
                    took,
                });
            }
            Err(why) => {
                let nothing = match &why {
                    Unfetched::Refused(_) => Ok(None),
                    Unfetched::Unanswered(_) => Err(()),
                };
                self.key.settle_certificate(url, nothing, now);
                let reason = why.to_string();
                telemetry.emit(&Event::KeysNotFetched {
                    source,
                    reason: &reason,
                });
            }
        }
    }

    fn certificates(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        // A panic under the lock leaves the map whole: every change is one insertion or one removal.
        self.certificates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of a certificate that we believe: the first of the file, with those behind it that lead to
/// somebody whom we trust.
///
/// AWS publishes the certificate alone, and its own library takes nothing else and asks for name and time
/// (`CertificateRetriever` of <https://github.com/aws/aws-sdk-java-v2>, with a published file in its tests).
/// Where nothing leads anywhere, what vouches for it is the TLS of the host that it came from; name and time
/// must be right all the same.
fn public_key(
    settings: &Settings,
    certified: &Certified,
    url: &str,
    pem: &[u8],
) -> Result<Vec<u8>, String> {
    let none = || "is no certificate in PEM".to_owned();
    let mut chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_damaged| none())?
        .into_iter();
    let first = chain.next().ok_or_else(none)?;
    let others: Vec<_> = chain.collect();
    let certificate = webpki::EndEntityCert::try_from(&first).map_err(|_damaged| none())?;
    let names: Vec<String> = certified.names.iter().map(|name| at(name, url)).collect();
    let name = names
        .iter()
        .filter_map(|name| ServerName::try_from(name.as_str()).ok())
        .find(|name| certificate.verify_is_valid_for_subject_name(name).is_ok())
        .ok_or_else(|| format!("is a certificate of others than {}", names.join(", ")))?;
    let judged = verifier(settings.ca.as_deref())?.verify_server_cert(
        &first,
        &others,
        &name,
        &[],
        UnixTime::now(),
    );
    match judged {
        Ok(_) => {}
        Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))
            if others.is_empty() => {}
        Err(error) => {
            return Err(format!(
                "is a certificate that is not to be trusted: {error}"
            ));
        }
    }
    Ok(certificate.subject_public_key_info().to_vec())
}

/// A name in which `*` is the label that the URL's host has at the same place.
fn at(name: &str, url: &str) -> String {
    let host = url.split('/').nth(2).unwrap_or_default();
    let labels = name.split('.').zip(host.split('.').chain(repeat("")));
    let labels = labels.map(|(label, of_host)| match label {
        "*" => of_host,
        label => label,
    });
    labels.collect::<Vec<_>>().join(".")
}

/// Who trusts the authorities in `ca` and no others, or those of the platform.
fn verifier(ca: Option<&[u8]>) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let Some(pem) = ca else {
        let platform = rustls_platform_verifier::Verifier::new(provider);
        return Ok(Arc::new(platform.map_err(|error| error.to_string())?));
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    Ok(verifier.map_err(|error| error.to_string())?)
}
