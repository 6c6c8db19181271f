//! An upstream in every mood of the script.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::ledger::Ledger;
use crate::script::{Mood, Script};

/// What the gate is told to wait for one attempt.
pub const TIMEOUT: Duration = Duration::from_secs(1);
/// Far from the timeout on either side, so that there is no doubt what the gate knows.
const IN_TIME: Duration = Duration::from_millis(400);
const TOO_LATE: Duration = Duration::from_secs(2);

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const HALF: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no";
const FAILS: &[u8] = b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n";
const LIMITS: &[u8] = b"HTTP/1.1 429 X\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
const BUSY: &[u8] = b"HTTP/1.1 503 X\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";

/// One upstream; it listens until it is dropped.
pub struct Upstream {
    pub address: SocketAddr,
    mood: watch::Sender<Mood>,
    /// What it will be like when it comes back; none: it is there.
    away: Mutex<Option<Mood>>,
    task: JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Upstream {
    /// In this mood; `work` is what it needs for each webhook while it is well.
    pub fn start(mood: Mood, work: Duration, script: &Arc<Script>, ledger: &Arc<Ledger>) -> Self {
        // Bound and never listening: it keeps the port while nobody is there.
        let keeper = socket(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = keeper.local_addr().unwrap();
        let world = World {
            work,
            script: Arc::clone(script),
            ledger: Arc::clone(ledger),
        };
        let (mood, moods) = watch::channel(mood);
        let task = tokio::spawn(async move {
            let _keeper = keeper;
            listen(address, moods, &world).await;
        });
        Self {
            address,
            mood,
            away: Mutex::new(None),
            task,
        }
    }

    /// From now on, or from when it comes back on.
    pub fn be(&self, mood: Mood) {
        match &mut *self.away.lock().unwrap() {
            Some(later) => *later = mood,
            None => drop(self.mood.send_replace(mood)),
        }
    }

    /// Refuses whatever it is told to be, until it comes back.
    pub fn leave(&self) {
        let mut away = self.away.lock().unwrap();
        *away = Some(self.mood.send_replace(Mood::Refuses));
    }

    pub fn come_back(&self) {
        let mut away = self.away.lock().unwrap();
        self.mood.send_replace(away.take().unwrap());
    }

    /// Goes through the moods of a script that began at `begun`.
    pub async fn follow(&self, script: &Script, begun: Instant) {
        for (from, mood) in &script.moods {
            tokio::time::sleep_until(begun + *from).await;
            self.be(*mood);
        }
    }
}

fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

/// What the connections of an upstream share.
#[derive(Clone)]
struct World {
    work: Duration,
    script: Arc<Script>,
    ledger: Arc<Ledger>,
}

async fn listen(address: SocketAddr, mut moods: watch::Receiver<Mood>, world: &World) {
    loop {
        if moods.wait_for(|mood| *mood != Mood::Refuses).await.is_err() {
            return;
        }
        let listener = socket(address).listen(1_024).unwrap();
        accept(&listener, &mut moods, world).await;
    }
}

/// Accepts until it refuses.
async fn accept(listener: &TcpListener, moods: &mut watch::Receiver<Mood>, world: &World) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = moods.wait_for(|mood| *mood == Mood::Refuses) => return,
        };
        let (stream, _) = accepted.unwrap();
        let accepted = Instant::now();
        let (moods, world) = (moods.clone(), world.clone());
        tokio::spawn(async move {
            let mut gone = moods.clone();
            tokio::select! {
                // What the gate makes of a connection that breaks is the gate's affair.
                _ = serve(stream, accepted, &moods, &world) => {}
                _ = gone.wait_for(|mood| *mood == Mood::Refuses) => {}
            }
        });
    }
}

/// An attempt in the upstream's hands.
struct Inside<'a>(&'a Ledger, Instant);

impl<'a> Inside<'a> {
    fn enter(ledger: &'a Ledger) -> Self {
        ledger.enter();
        Self(ledger, Instant::now())
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.leave(self.1.elapsed());
    }
}

async fn serve(
    mut stream: TcpStream,
    accepted: Instant,
    moods: &watch::Receiver<Mood>,
    world: &World,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut is_fresh = true;
    loop {
        let end = loop {
            if let Some(at) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        };
        if std::mem::take(&mut is_fresh) {
            world.ledger.greeted(accepted.elapsed());
        }
        let inside = Inside::enter(&world.ledger);
        let mood = *moods.borrow();
        if mood == Mood::Resets {
            return reset(&stream);
        }
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let length: usize = field(&head, "content-length").parse().unwrap();
        while bytes.len() < end + length {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
        let body = String::from_utf8(bytes[end..end + length].to_vec()).unwrap();
        bytes.drain(..end + length);
        let number: usize = body.split(' ').next().unwrap().parse().unwrap();
        let attempt: u32 = field(&head, "hookgate-attempt").parse().unwrap();
        let id = field(&head, "hookgate-id");
        world.ledger.attempted(number, id, attempt);
        let said = world.act(&mut stream, mood, number, attempt).await?;
        // With the answer the gate may come back.
        drop(inside);
        stream.write_all(said.bytes).await?;
        if let Some(taking) = said.settles {
            world.ledger.answered(number, taking);
        }
        if said.is_last {
            return Ok(());
        }
    }
}

/// An answer.
struct Said {
    bytes: &'static [u8],
    /// The delivery that is settled when the gate has read it.
    settles: Option<usize>,
    is_last: bool,
}

impl Said {
    fn only(bytes: &'static [u8]) -> Self {
        Self {
            bytes,
            settles: None,
            is_last: false,
        }
    }

    fn last(bytes: &'static [u8]) -> Self {
        Self {
            is_last: true,
            ..Self::only(bytes)
        }
    }
}

impl World {
    /// What becomes of one webhook.
    async fn act(
        &self,
        stream: &mut TcpStream,
        mood: Mood,
        number: usize,
        attempt: u32,
    ) -> io::Result<Said> {
        let mut dice = self.script.dice(number, attempt);
        let mood = match mood {
            Mood::Flaps => [Mood::Well, Mood::Fails, Mood::Resets][dice.usize(..3)],
            mood => mood,
        };
        Ok(match mood {
            Mood::Well => {
                if !self.work.is_zero() {
                    tokio::time::sleep(self.work).await;
                }
                Said {
                    settles: Some(self.ledger.take(number)),
                    ..Said::only(OK)
                }
            }
            Mood::Slow => {
                let taking = self.ledger.take(number);
                if dice.u8(..4) == 0 {
                    gone_or(stream, TOO_LATE).await;
                    return Ok(Said::last(OK));
                }
                tokio::time::sleep(IN_TIME.mul_f64(dice.f64())).await;
                Said {
                    settles: Some(taking),
                    ..Said::only(OK)
                }
            }
            Mood::Hangs => {
                if dice.bool() {
                    self.ledger.take(number);
                }
                gone_or(stream, Duration::MAX).await;
                Said::last(b"")
            }
            Mood::TakesAndCloses => {
                self.ledger.take(number);
                Said::last(b"")
            }
            Mood::HalfAnswers => {
                self.ledger.take(number);
                Said::last(HALF)
            }
            Mood::Fails => Said::only(FAILS),
            Mood::Limits => Said::only(LIMITS),
            Mood::Busy => Said::only(BUSY),
            Mood::Refuses | Mood::Resets | Mood::Flaps => return reset(stream),
        })
    }
}

/// Waits, and no longer than the gate does.
async fn gone_or(stream: &mut TcpStream, time: Duration) {
    let gone = async { while stream.read_u8().await.is_ok() {} };
    // Either will do.
    let _ = tokio::time::timeout(time, gone).await;
}

/// Closes with a reset.
fn reset<T>(stream: &TcpStream) -> io::Result<T> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
    Err(io::ErrorKind::ConnectionReset.into())
}

fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let values = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let value = values
        .into_iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name));
    value.unwrap().1.trim()
}
