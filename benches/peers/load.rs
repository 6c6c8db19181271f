//! The senders: a closed loop of connections, each with one webhook under way, in one thread.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::Failure;
use crate::server::{self, Server};
use crate::wire;
use crate::work::Connection;

/// Webhooks under way at once.
const SENDERS: usize = 64;

/// Before anything is counted: connections open, caches fill, compilers just in time.
const WARM_UP: Duration = Duration::from_millis(500);

/// How long a webhook may take before it counts as an error; a healthy one takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is sent, and how.
#[derive(Clone)]
pub(crate) struct Load {
    /// Of the server, on loopback.
    pub port: u16,
    /// The bytes of one webhook.
    pub webhook: Arc<[u8]>,
    /// TLS, when there is any.
    pub tls: Option<Arc<ClientConfig>>,
    /// What becomes of a connection after one webhook.
    pub connection: Connection,
}

/// What one round saw of one server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// In the order of the bar's columns.
    pub figures: Vec<f64>,
    /// Webhooks that were not answered 200.
    pub errors: usize,
}

/// The columns of [`Load::measure`]; the first is what ratios are made of.
pub(crate) const COLUMNS: &[&str] = &[
    "cpu_us", "rps", "p50_us", "p99_us", "core", "foreign", "load",
];

const WARMING: u8 = 0;
const COUNTING: u8 = 1;
const OVER: u8 = 2;

/// Where a webhook travels.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// What one sender saw.
#[derive(Default)]
struct Seen {
    micros: Vec<u32>,
    errors: usize,
}

impl Load {
    /// Sends for the given time and accounts for what the server used meanwhile.
    pub(crate) async fn measure(&self, server: &Server, time: Duration) -> Sample {
        let phase = Arc::new(AtomicU8::new(WARMING));
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            senders.spawn(self.clone().send_until_over(Arc::clone(&phase)));
        }
        let mut awake = JoinSet::new();
        awake.spawn(stay_awake());
        sleep(WARM_UP).await;

        let before = Usage::of(server);
        phase.store(COUNTING, Ordering::Relaxed);
        sleep(time).await;
        phase.store(OVER, Ordering::Relaxed);
        let used = Usage::of(server).since(&before);

        let mut seen = Seen::default();
        let all = async {
            while let Some(sender) = senders.join_next().await {
                let sender = sender.unwrap_or_default();
                seen.micros.extend(sender.micros);
                seen.errors += sender.errors;
            }
        };
        let in_time = timeout(PATIENCE, all).await.is_ok();
        seen.errors += if in_time { 0 } else { senders.len() };
        used.sample(seen)
    }

    async fn send_until_over(self, phase: Arc<AtomicU8>) -> Seen {
        let mut seen = Seen::default();
        let mut kept = None;
        while phase.load(Ordering::Relaxed) != OVER {
            let begun = Instant::now();
            match self.send(&mut kept).await {
                Ok(200) if phase.load(Ordering::Relaxed) == COUNTING => {
                    let micros = begun.elapsed().as_micros();
                    seen.micros.push(u32::try_from(micros).unwrap_or(u32::MAX));
                }
                Ok(200) => {}
                Ok(_) | Err(_) => {
                    seen.errors += 1;
                    kept = None;
                    // A server that refuses at once must not keep the load's core from everything else.
                    sleep(Duration::from_millis(1)).await;
                }
            }
        }
        seen
    }

    /// Sends one webhook and returns the status of the answer.
    ///
    /// # Errors
    /// When the connection fails, or does not give an answer in time.
    pub(crate) async fn once(&self) -> Result<u16, Failure> {
        timeout(PATIENCE, self.send(&mut None)).await?
    }

    async fn send(&self, kept: &mut Option<Box<dyn Stream>>) -> Result<u16, Failure> {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        stream.write_all(&self.webhook).await?;
        stream.flush().await?;
        let mut answer = Vec::with_capacity(1024);
        let status = loop {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err("the connection ended before the answer".into());
            }
            if let Some(message) = wire::message(&answer)? {
                break message.status;
            }
        };
        match self.connection {
            Connection::Kept => *kept = Some(stream),
            // The server may have been quicker.
            Connection::Closed => drop(stream.shutdown().await),
        }
        Ok(status)
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Failure> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = ServerName::try_from("localhost")?;
        let stream = TlsConnector::from(Arc::clone(tls))
            .connect(name, stream)
            .await?;
        Ok(Box::new(stream))
    }
}

/// Keeps the senders' core from ever sleeping. A server that answers a sleeping process on the same
/// machine is billed for waking it, all the more the slower it is itself; real senders are elsewhere.
async fn stay_awake() {
    loop {
        tokio::task::yield_now().await;
    }
}

/// What was used up to a moment, or between two.
struct Usage {
    at: Instant,
    elapsed: Duration,
    server: Duration,
    core: Duration,
    load: Duration,
}

impl Usage {
    fn of(server: &Server) -> Self {
        Self {
            at: Instant::now(),
            elapsed: Duration::ZERO,
            server: server.cpu(),
            core: server.core_busy(),
            load: server::cpu(std::process::id()),
        }
    }

    fn since(self, before: &Self) -> Self {
        Self {
            elapsed: self.at - before.at,
            server: self.server.saturating_sub(before.server),
            core: self.core.saturating_sub(before.core),
            load: self.load.saturating_sub(before.load),
            at: self.at,
        }
    }

    fn sample(&self, mut seen: Seen) -> Sample {
        seen.micros.sort_unstable();
        let count = f64::from(u32::try_from(seen.micros.len()).unwrap_or(u32::MAX));
        let elapsed = self.elapsed.as_secs_f64();
        let percentile = |hundredth: usize| {
            let at = seen.micros.len() * hundredth / 100;
            seen.micros.get(at).copied().map_or(f64::NAN, f64::from)
        };
        Sample {
            figures: vec![
                self.server.as_secs_f64() * 1e6 / count,
                count / elapsed,
                percentile(50),
                percentile(99),
                self.server.as_secs_f64() / elapsed,
                self.core.saturating_sub(self.server).as_secs_f64() / elapsed,
                self.load.as_secs_f64() / elapsed,
            ],
            errors: seen.errors,
        }
    }
}
