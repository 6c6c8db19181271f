//! Sockets that listen: one for each worker and address, or those that somebody else opened for us.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;

use listenfd::ListenFd;
use socket2::{Domain, Protocol, Socket, Type};
#[cfg(target_os = "linux")]
use socket2::{SockFilter, SockRef};

/// Connections that the kernel keeps for us while a worker is busy; the usual ceiling of
/// `net.core.somaxconn` cuts it.
const BACKLOG: i32 = 4_096;

/// Whose a listening socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenure {
    /// Ours: it closes with us, and the connections that wait in its queue would be reset.
    Own,
    /// A supervisor's too: whoever goes on with it takes what waits in its queue.
    Shared,
}

/// Listening, not yet accepting.
#[derive(Debug)]
pub struct Listening {
    /// Does not block.
    pub socket: TcpListener,
    /// Whose it is.
    pub tenure: Tenure,
}

/// Bound and listening, not yet accepting.
#[derive(Debug)]
pub struct Sockets {
    addresses: Vec<SocketAddr>,
    /// For each worker, its sockets.
    workers: Vec<Vec<Listening>>,
}

/// How a process comes to its addresses: alone, beside the process that it replaces, or with sockets that a
/// supervisor opened and keeps open (systemd's socket activation, `sd_listen_fds(3)`).
#[derive(Debug, Default)]
pub struct Succession {
    passed: Vec<(SocketAddr, TcpListener)>,
    is_beside: bool,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`")]
pub struct BindError {
    /// As configured.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

impl Succession {
    /// With the sockets that the environment names, which then names none any more: to be called once,
    /// before there is a second thread. With `is_beside` an address may be another process's too, if that
    /// one is of the same user and shares it as well.
    ///
    /// # Errors
    /// A socket that does not listen on TCP.
    pub fn from_environment(is_beside: bool) -> io::Result<Self> {
        let mut named = ListenFd::from_env();
        let mut passed = Vec::new();
        for index in 0..named.len() {
            if let Some(socket) = named.take_tcp_listener(index)? {
                socket.set_nonblocking(true)?;
                passed.push((socket.local_addr()?, socket));
            }
        }
        Ok(Self { passed, is_beside })
    }

    /// One socket for `address`.
    ///
    /// # Errors
    /// Another process has it, or the system refuses it.
    pub fn open(&mut self, address: SocketAddr) -> io::Result<Listening> {
        if let Some(socket) = self.take(address).pop() {
            return Ok(Listening {
                socket,
                tenure: Tenure::Shared,
            });
        }
        self.claim(address)?;
        listen(address)
    }

    /// The address of a passed socket that nobody has taken.
    #[must_use]
    pub fn left(&self) -> Option<SocketAddr> {
        self.passed.first().map(|(address, _)| *address)
    }

    fn take(&mut self, address: SocketAddr) -> Vec<TcpListener> {
        let all = std::mem::take(&mut self.passed).into_iter();
        let (mine, left): (Vec<_>, _) = all.partition(|(local, _)| *local == address);
        self.passed = left;
        mine.into_iter().map(|(_, socket)| socket).collect()
    }

    /// Makes sure that an address is nobody else's, unless it may be: two processes that share one by
    /// mistake would be hard to notice.
    fn claim(&self, address: SocketAddr) -> io::Result<()> {
        let is_passed = self.passed.iter().any(|(local, _)| *local == address);
        if self.is_beside || is_passed {
            return Ok(());
        }
        new(address)?.bind(&address.into())
    }
}

/// Binds every address once for each worker, unless there are passed sockets for it: those are spread
/// over the workers, and each worker has one at least.
///
/// # Errors
/// The first address that cannot be bound.
pub fn bind(
    addresses: &[SocketAddr],
    workers: usize,
    succession: &mut Succession,
) -> Result<Sockets, BindError> {
    let mut sockets = Sockets {
        addresses: Vec::with_capacity(addresses.len()),
        workers: (0..workers)
            .map(|_| Vec::with_capacity(addresses.len()))
            .collect(),
    };
    let failed = |address| move |source| BindError { address, source };
    for &address in addresses {
        succession.claim(address).map_err(failed(address))?;
    }
    for &configured in addresses {
        let failed = failed(configured);
        let opened = all_for(configured, workers, succession).map_err(failed)?;
        let address = opened
            .first()
            .map_or(Ok(configured), |first| first.socket.local_addr());
        sockets.addresses.push(address.map_err(failed)?);
        for (turn, listening) in opened.into_iter().enumerate() {
            if let Some(worker) = sockets.workers.get_mut(turn % workers) {
                worker.push(listening);
            }
        }
    }
    Ok(sockets)
}

/// One for each worker, or more.
fn all_for(
    address: SocketAddr,
    workers: usize,
    succession: &mut Succession,
) -> io::Result<Vec<Listening>> {
    let passed = succession.take(address);
    if passed.is_empty() {
        let first = listen(address)?;
        // Port 0 is chosen by the first socket and shared by the others.
        let address = first.socket.local_addr()?;
        let others = (1..workers).map(|_| listen(address));
        return std::iter::once(Ok(first)).chain(others).collect();
    }
    // Of several sockets each needs somebody who accepts.
    let all = passed.iter().cycle().take(workers.max(passed.len()));
    let all = all.map(|socket| {
        Ok(Listening {
            socket: socket.try_clone()?,
            tenure: Tenure::Shared,
        })
    });
    all.collect()
}

impl Sockets {
    /// Where they listen, free ports resolved.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The sockets, a set for each worker.
    #[must_use]
    pub fn into_workers(self) -> Vec<Vec<Listening>> {
        self.workers
    }
}

/// Beside others on the same address: other workers', and those of a process that this one replaces, or
/// that will replace it.
fn listen(address: SocketAddr) -> io::Result<Listening> {
    let socket = new(address)?;
    socket.set_reuse_port(true)?;
    // Linux hands this down to accepted sockets: one system call for all of them.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(Listening {
        socket: socket.into(),
        tenure: Tenure::Own,
    })
}

fn new(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` are two addresses; whoever wants both lists both.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// Lets no new connection come to this socket, whereas handshakes that have begun are finished: who
/// begins one now is not refused but asks again after a second, and meets whoever listens then.
///
/// # Errors
/// The system cannot filter.
#[cfg(target_os = "linux")]
pub(super) fn turn_away(socket: &impl AsFd) -> io::Result<()> {
    // The program sees a segment from its TCP header on. It loads the byte of the flags (RFC 9293, 3.1);
    // with SYN it drops the segment, else it keeps all of it.
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_ANY: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const FLAGS_AT: u32 = 13;
    const SYN: u32 = 2;
    SockRef::from(socket).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS_AT),
        SockFilter::new(JUMP_IF_ANY, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

/// Elsewhere there is no such filter: who calls at the very last moment may be reset.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub(super) fn turn_away(_socket: &impl AsFd) -> io::Result<()> {
    Ok(())
}
