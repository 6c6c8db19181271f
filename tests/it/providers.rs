//! Every preset: what `hookgate send` sends in its provider's name is accepted, and tampering shows.

use std::path::Path;
use std::process::Output;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use hookgate::preset::{self, Algorithm, Preset};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData as _};
use tokio::process::Command;

use crate::support::{Gate, Upstream, base64, folder, hex};

/// A shared secret that is text, base64 and hex at once.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A secret as a route has it, and as its sender does.
struct Pair {
    ours: String,
    theirs: String,
}

/// Keys as each preset writes them.
struct Keys {
    rsa: rcgen::KeyPair,
    p256: rcgen::KeyPair,
    ed25519: rcgen::KeyPair,
}

impl Keys {
    fn new() -> Self {
        let make = |algorithm| rcgen::KeyPair::generate_for(algorithm).unwrap();
        Self {
            rsa: make(&PKCS_RSA_SHA256),
            p256: make(&PKCS_ECDSA_P256_SHA256),
            ed25519: make(&PKCS_ED25519),
        }
    }

    fn of(&self, preset: &Preset) -> Pair {
        let (ours, theirs) = match preset.scheme.algorithm {
            Algorithm::RsaSha1 | Algorithm::RsaSha256 => {
                // As the providers publish it: in a certificate.
                let certificate = rcgen::CertificateParams::new(["sender.example".to_owned()])
                    .unwrap()
                    .self_signed(&self.rsa)
                    .unwrap();
                (certificate.pem().trim().to_owned(), &self.rsa)
            }
            Algorithm::EcdsaP256Sha256 => {
                (base64(&self.p256.subject_public_key_info()), &self.p256)
            }
            Algorithm::Ed25519 => {
                let der = self.ed25519.serialize_der();
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).unwrap();
                let raw = pair.public_key().as_ref();
                let ours = match preset.key.prefix.as_deref() {
                    Some(prefix) => prefix.to_owned() + &base64(raw),
                    None => hex(raw),
                };
                (ours, &self.ed25519)
            }
            _ => {
                let ours = preset.key.prefix.clone().unwrap_or_default() + SECRET;
                return Pair {
                    theirs: ours.clone(),
                    ours,
                };
            }
        };
        Pair {
            ours,
            theirs: theirs.serialize_pem(),
        }
    }
}

fn variable(preset: &Preset) -> String {
    preset.name.to_uppercase().replace('-', "_")
}

/// A route with what the preset asks for beside its keys.
fn route(preset: &Preset) -> String {
    let (name, scheme) = (preset.name, &preset.scheme);
    let values: Vec<_> = scheme
        .missing_values()
        .iter()
        .map(|name| format!("{name} = \"a-{name}\""))
        .collect();
    let token = scheme
        .token()
        .map_or("", |_| "verify_token = { env = \"TOKEN\" },");
    let public_url = format!("public_url = \"https://hooks.example.com/{name}\"\n");
    format!(
        "[routes.{name}]\npath = \"/{name}\"\nforward = \"app\"\nack = \"upstream\"\ndeadline = \"20s\"\n{}\
         [[routes.{name}.plugins]]\nuse = \"signature\"\n\
         with = {{ preset = \"{name}\", {token} values = {{ {} }}, keys = [{{ env = \"{}\" }}] }}\n",
        if scheme.names("{url}") {
            public_url.as_str()
        } else {
            ""
        },
        values.join(", "),
        variable(preset),
    )
}

async fn send(folder: &Path, preset: &Preset, env: &[(String, String)], more: &[&str]) -> String {
    let event = events(folder, preset, env).await;
    let mut arguments = vec!["send", preset.name, &event];
    arguments.extend(more);
    printed(folder, &arguments, env).await
}

/// The first event that `send` offers.
async fn events(folder: &Path, preset: &Preset, env: &[(String, String)]) -> String {
    let offered = printed(folder, &["send", preset.name], env).await;
    let first = offered
        .lines()
        .nth(3)
        .unwrap_or_else(|| panic!("{offered}"));
    first.trim().to_owned()
}

async fn printed(folder: &Path, arguments: &[&str], env: &[(String, String)]) -> String {
    let Output { stdout, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_hookgate"))
        .args(arguments)
        .current_dir(folder)
        .env("HOOKGATE_CACHE", crate::support::cache())
        .envs(env.iter().map(|(name, value)| (name, value)))
        .output()
        .await
        .unwrap();
    String::from_utf8([stdout, stderr].concat()).unwrap()
}

#[tokio::test]
async fn every_preset_believes_its_own_provider_and_no_tampering() {
    let mut upstream = Upstream::ok().await;
    let keys = Keys::new();
    let mut env = vec![("TOKEN".to_owned(), "shown in the handshake".to_owned())];
    let mut toml = format!(
        "[server]\nlisten = [\"127.0.0.1:{}\"]\n[upstreams.app]\nurl = \"{}\"\n",
        crate::support::free_port(),
        upstream.url(),
    );
    for preset in preset::all() {
        let Pair { ours, theirs } = keys.of(preset);
        env.push((variable(preset), ours));
        env.push((format!("{}_SENDER", variable(preset)), theirs));
        toml += &route(preset);
    }
    let borrowed: Vec<_> = env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut gate = Gate::start_in(folder(), &toml, &borrowed).await;
    let address = gate.address;

    for preset in preset::all() {
        let url = format!("http://{address}/{}", preset.name);
        let secret = format!("{}_SENDER", variable(preset));
        // Without a URL the route is found in the file, with all that it says.
        let whole = ["--secret-env", &secret];
        let brief = ["--secret-env", &secret, "--to", &url];
        let needs_route = preset.scheme.names("{url}") || preset.scheme.names("{value:");
        let options: &[&str] = if needs_route { &whole } else { &brief };

        let answer = send(gate.folder(), preset, &env, options).await;
        assert!(answer.contains("← 200 OK"), "{}: {answer}", preset.name);
        upstream.next().await;

        let tampered = [options, &["--tamper"]].concat();
        let answer = send(gate.folder(), preset, &env, &tampered).await;
        assert!(answer.contains("← 401"), "{}: {answer}", preset.name);
    }
    assert!(upstream.is_quiet());
    let line = gate
        .wait_for_log(|line| line["msg"] == "webhook rejected")
        .await;
    assert!(line["reason"].is_string());
}

/// Some take only one status for success, and then without a body: what we do of our own must not look
/// like a failure to them.
#[tokio::test]
async fn what_is_held_or_dropped_is_a_success_in_the_senders_own_words() {
    let keys = Keys::new();
    let mut env = Vec::new();
    let gone = crate::support::free_port();
    let mut toml = format!("[upstreams.gone]\nurl = \"http://127.0.0.1:{gone}\"\n");
    let senders = [
        ("github", "202 Accepted", "200 OK", true),
        ("linear", "200 OK", "200 OK", false),
        ("discord", "204 No Content", "204 No Content", false),
    ];
    for (name, ..) in senders {
        let preset = preset::find(name).unwrap();
        let Pair { ours, theirs } = keys.of(preset);
        env.push((variable(preset), ours));
        env.push((format!("{}_SENDER", variable(preset)), theirs));
        for (route, more) in [
            ("held", ""),
            (
                "dropped",
                "[[routes.NAME.plugins]]\nuse = \"json-filter\"\nwith = { event = [\"none of these\"] }\n",
            ),
        ] {
            let key = variable(preset);
            let route = format!("{name}-{route}");
            toml += &format!(
                "[routes.{route}]\npath = \"/{route}\"\nforward = \"gone\"\nack = \"buffered\"\ndeadline = \"100ms\"\n\
                 [[routes.{route}.plugins]]\nuse = \"signature\"\n\
                 with = {{ preset = \"{name}\", keys = [{{ env = \"{key}\" }}] }}\n{}",
                more.replace("NAME", &route),
            );
        }
    }
    let borrowed: Vec<_> = env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let gate = Gate::start_in(folder(), &toml, &borrowed).await;

    for (name, held, dropped, has_body) in senders {
        let preset = preset::find(name).unwrap();
        let secret = format!("{}_SENDER", variable(preset));
        for (outcome, status) in [("held", held), ("dropped", dropped)] {
            let url = format!("http://{}/{name}-{outcome}", gate.address);
            let options = ["--secret-env", &secret, "--to", &url];
            let answer = send(gate.folder(), preset, &env, &options).await;

            assert!(answer.contains(&format!("← {status} in ")), "{answer}");
            let told = format!("\"outcome\":\"{outcome}\"");
            assert_eq!(answer.contains(&told), has_body, "{answer}");
            assert_eq!(
                answer.lines().count(),
                2 + usize::from(has_body),
                "{answer}"
            );
        }
    }
}
