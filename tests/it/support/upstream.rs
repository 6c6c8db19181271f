//! An upstream that does what the test says, byte by byte, and tells what it received.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;

use super::{Authority, PATIENCE};

/// What the upstream does with one request.
#[derive(Clone)]
pub enum Act {
    /// Answers with a status, fields and a body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Closes without a word.
    Close,
    /// Answers 200 as soon as it gets a permit.
    Await(Arc<Semaphore>),
    /// Says nothing more, and keeps the connection.
    Hang,
    /// Writes these bytes and closes.
    Raw(&'static [u8]),
    /// Writes these bytes again and again, as fast as they are taken.
    Flood(&'static [u8]),
}

impl Act {
    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), String::new())
    }
}

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// Counted from 0 over all connections.
    pub number: usize,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    pub method: String,
    pub target: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// A listening upstream.
pub struct Upstream {
    pub address: SocketAddr,
    received: mpsc::Receiver<Received>,
}

impl Upstream {
    /// Answers 200 to everything.
    pub async fn ok() -> Self {
        Self::start(|_| Act::Answer(200, Vec::new(), "ok".to_owned())).await
    }

    /// Answers each request with the next status, the last one for ever.
    pub async fn answers(statuses: &'static [u16]) -> Self {
        Self::start(|request| Act::status(statuses[request.number.min(statuses.len() - 1)])).await
    }

    /// Answers each request 200 when the test gives a permit for it.
    pub async fn awaiting() -> (Self, Arc<Semaphore>) {
        let permits = Arc::new(Semaphore::new(0));
        let act = Act::Await(Arc::clone(&permits));
        (Self::start(move |_| act.clone()).await, permits)
    }

    /// Does with each request what `act` says.
    pub async fn start(act: impl Fn(&Received) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(listener, act)
    }

    /// Over TLS, as `127.0.0.1`, with a certificate of this authority; answers 200.
    pub async fn tls(authority: &Authority) -> Self {
        let act = |_: &Received| Act::Answer(200, Vec::new(), "ok".to_owned());
        Self::start_tls(authority, act).await
    }

    /// The same; does with each request what `act` says.
    pub async fn start_tls(
        authority: &Authority,
        act: impl Fn(&Received) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::behind(authority.acceptor("127.0.0.1"), act).await
    }

    /// The same with a certificate of the test's own.
    pub async fn behind(
        acceptor: TlsAcceptor,
        act: impl Fn(&Received) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::listen(listener, Some(acceptor), act)
    }

    fn start_on(
        listener: TcpListener,
        act: impl Fn(&Received) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::listen(listener, None, act)
    }

    fn listen(
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        act: impl Fn(&Received) -> Act + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let (tell, received) = mpsc::channel(10_000);
        let act = Arc::new(act);
        let numbers = Arc::new(AtomicUsize::new(0));
        tokio::spawn(async move {
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                let (act, numbers, tell) = (Arc::clone(&act), Arc::clone(&numbers), tell.clone());
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, connection, &*act, &numbers, &tell).await,
                        Some(tls) => {
                            let stream = tls.accept(stream).await?;
                            serve(stream, connection, &*act, &numbers, &tell).await
                        }
                    }
                });
            }
        });
        Self { address, received }
    }

    /// The next request that came in.
    pub async fn next(&mut self) -> Received {
        tokio::time::timeout(PATIENCE, self.received.recv())
            .await
            .expect("a request comes")
            .unwrap()
    }

    /// Whether nothing more has come in by now.
    pub fn is_quiet(&mut self) -> bool {
        self.received.try_recv().is_err()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// An upstream that is not there: connections are refused, and the port stays its own.
pub struct Absent {
    socket: TcpSocket,
}

impl Absent {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self { socket }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.socket.local_addr().unwrap())
    }

    /// It is there from now on, and answers 200.
    pub fn comes_back(self) -> Upstream {
        let act = |_: &Received| Act::Answer(200, Vec::new(), "ok".to_owned());
        Upstream::start_on(self.socket.listen(64).unwrap(), act)
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    act: &(impl Fn(&Received) -> Act + Send + Sync),
    numbers: &AtomicUsize,
    tell: &mpsc::Sender<Received>,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap().split(' ');
        let mut request = Received {
            number: 0,
            connection,
            method: first.next().unwrap().to_owned(),
            target: first.next().unwrap().to_owned(),
            fields: lines
                .map(|line| {
                    let (name, value) = line.split_once(':').unwrap();
                    (name.to_ascii_lowercase(), value.trim().to_owned())
                })
                .collect(),
            body: Vec::new(),
        };
        let length: usize = request
            .field("content-length")
            .map_or(0, |l| l.parse().unwrap());
        while bytes.len() < head_end + 4 + length {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
        request.body = bytes[head_end + 4..head_end + 4 + length].to_vec();
        bytes.drain(..head_end + 4 + length);
        request.number = numbers.fetch_add(1, Ordering::SeqCst);
        let doing = act(&request);
        tell.send(request).await.ok();
        match doing {
            Act::Answer(status, fields, body) => {
                let mut answer =
                    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in fields {
                    answer += &format!("{name}: {value}\r\n");
                }
                stream
                    .write_all((answer + "\r\n" + &body).as_bytes())
                    .await?;
            }
            Act::Await(permits) => {
                permits.acquire().await.unwrap().forget();
                stream
                    .write_all(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\nok")
                    .await?;
            }
            Act::Close => return Ok(()),
            Act::Hang => std::future::pending::<()>().await,
            Act::Flood(drop) => {
                let wave = drop.repeat(10_000);
                loop {
                    stream.write_all(&wave).await?;
                }
            }
            Act::Raw(raw) => {
                stream.write_all(raw).await?;
                return Ok(());
            }
        }
    }
}
