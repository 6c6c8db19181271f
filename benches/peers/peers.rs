//! Who is measured, and how each one is told to do the same work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::Failure;
use crate::server::{Launch, find};
use crate::work::SECRET;

/// A server that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// This build.
    Hookgate,
    /// The build given by `--before`.
    HookgateBefore,
    /// `proxy_pass`, nothing verified.
    Nginx,
    /// The same, and the signature checked in LuaJIT.
    NginxLua,
    /// Nothing verified.
    Haproxy,
    /// A receiver as people write it.
    Node,
}

impl Peer {
    /// As in the options and the report.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hookgate => "hookgate",
            Self::HookgateBefore => "hookgate-before",
            Self::Nginx => "nginx",
            Self::NginxLua => "nginx-lua",
            Self::Haproxy => "haproxy",
            Self::Node => "node",
        }
    }
}

/// Whether senders come over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// In the clear.
    Plain,
    /// TLS.
    Tls,
}

/// Whether the signature is checked, where a server can do either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Passed through.
    Nothing,
    /// By the bundled plugin.
    Signature,
}

/// Where a server stands.
#[derive(Clone, Debug)]
pub(crate) struct Site<'a> {
    /// A folder that goes away with the run; the certificate is in it.
    pub home: &'a Path,
    /// Where senders call.
    pub port: u16,
    /// Where it delivers.
    pub upstream: u16,
    /// How senders come.
    pub transport: Transport,
    /// What it does for its money.
    pub check: Check,
    /// The core it may use.
    pub core: usize,
    /// The other build of Hookgate.
    pub before: Option<&'a Path>,
}

impl Peer {
    /// Writes its configuration and says how it is started.
    ///
    /// # Errors
    /// Why it has to be left out; mostly, that it is not installed.
    pub(crate) fn launch(self, site: &Site<'_>) -> Result<Launch, Failure> {
        let home = site.home.join(self.name());
        fs::create_dir_all(&home)?;
        let command = match self {
            Self::Hookgate => hookgate(Path::new(env!("CARGO_BIN_EXE_hookgate")), site, &home)?,
            Self::HookgateBefore => hookgate(site.before.ok_or("no `--before`")?, site, &home)?,
            Self::Nginx => nginx(include_str!("conf/nginx.conf"), site, &home)?,
            Self::NginxLua => nginx(include_str!("conf/nginx-lua.conf"), site, &home)?,
            Self::Haproxy => haproxy(site, &home)?,
            Self::Node => node(site, &home)?,
        };
        Ok(Launch {
            command,
            environment: vec![
                ("BENCH_SECRET", SECRET.into()),
                ("HOOKGATE_CACHE", home.join("cache")),
            ],
            log: home.join("log"),
            core: site.core,
        })
    }
}

fn hookgate(binary: &Path, site: &Site<'_>, home: &Path) -> Result<Vec<PathBuf>, Failure> {
    let tls = match site.transport {
        Transport::Plain => "",
        Transport::Tls => "\n[[server.tls]]\ncert = \"@CERT@\"\nkey  = \"@KEY@\"\n",
    };
    let plugins = match site.check {
        Check::Nothing => "public  = true",
        Check::Signature => {
            "\n[[routes.hook.plugins]]\n\
             use  = \"signature\"\n\
             with = { preset = \"github\", keys = [{ env = \"BENCH_SECRET\" }] }"
        }
    };
    let text = include_str!("conf/hookgate.toml")
        .replace("@PLUGINS@", plugins)
        .replace("@ADMIN@", &free_port()?.to_string());
    let config = fill(&text, tls, site, home, "hookgate.toml")?;
    Ok(vec![binary.into(), "run".into(), "--config".into(), config])
}

fn nginx(template: &str, site: &Site<'_>, home: &Path) -> Result<Vec<PathBuf>, Failure> {
    let program = find("nginx").ok_or("`nginx` is not installed")?;
    let modules = modules(&program)?;
    if let Some(missing) = template
        .lines()
        .filter_map(|line| {
            line.strip_prefix("load_module @MODULES@/")?
                .strip_suffix(';')
        })
        .find(|module| !modules.join(module).is_file())
    {
        return Err(format!("nginx has no module `{missing}` (libnginx-mod-http-lua)").into());
    }
    let text = template.replace("@MODULES@", &modules.to_string_lossy());
    let tls = match site.transport {
        Transport::Plain => "",
        Transport::Tls => " ssl",
    };
    let config = fill(&text, tls, site, home, "nginx.conf")?;
    Ok(vec![
        program,
        "-e".into(),
        "stderr".into(),
        "-c".into(),
        config,
    ])
}

/// Where nginx was built to look for its modules.
fn modules(nginx: &Path) -> Result<PathBuf, Failure> {
    let said = Command::new(nginx).arg("-V").output()?.stderr;
    let said = String::from_utf8_lossy(&said);
    let folder = said
        .split_whitespace()
        .find_map(|word| word.strip_prefix("--modules-path="));
    Ok(folder.unwrap_or("modules").into())
}

fn haproxy(site: &Site<'_>, home: &Path) -> Result<Vec<PathBuf>, Failure> {
    let program = find("haproxy").ok_or("`haproxy` is not installed")?;
    let tls = match site.transport {
        Transport::Plain => "",
        Transport::Tls => " ssl crt @BOTH@ alpn http/1.1 ssl-min-ver TLSv1.3",
    };
    let config = fill(
        include_str!("conf/haproxy.cfg"),
        tls,
        site,
        home,
        "haproxy.cfg",
    )?;
    Ok(vec![
        program,
        "-q".into(),
        "-db".into(),
        "-f".into(),
        config,
    ])
}

fn node(site: &Site<'_>, home: &Path) -> Result<Vec<PathBuf>, Failure> {
    let program = find("node").ok_or("`node` is not installed (nodejs)")?;
    if site.transport == Transport::Tls {
        return Err("measured without TLS only".into());
    }
    let script = fill(include_str!("conf/node.mjs"), "", site, home, "node.mjs")?;
    Ok(vec![program, script])
}

/// Fills a configuration in and writes it.
fn fill(
    template: &str,
    tls: &str,
    site: &Site<'_>,
    home: &Path,
    name: &str,
) -> Result<PathBuf, Failure> {
    let path = |file: &str| site.home.join(file).to_string_lossy().into_owned();
    let text = template
        .replace("@TLS@", tls)
        .replace("@HOME@", &home.to_string_lossy())
        .replace("@PORT@", &site.port.to_string())
        .replace("@UPSTREAM@", &site.upstream.to_string())
        .replace("@SECRET@", SECRET)
        .replace("@CERT@", &path("cert.pem"))
        .replace("@KEY@", &path("key.pem"))
        .replace("@BOTH@", &path("both.pem"));
    let file = home.join(name);
    fs::write(&file, text)?;
    Ok(file)
}

/// A port that was free a moment ago.
///
/// # Errors
/// When there is none.
pub(crate) fn free_port() -> Result<u16, Failure> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()?
        .port())
}
