//! Sockets that listen: one for each worker and address.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel keeps for us while a worker is busy; the usual ceiling of
/// `net.core.somaxconn` cuts it.
const BACKLOG: i32 = 4_096;

/// Bound and listening, not yet accepting.
#[derive(Debug)]
pub struct Sockets {
    addresses: Vec<SocketAddr>,
    /// For each worker, its socket for every address.
    workers: Vec<Vec<TcpListener>>,
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

/// Binds every address once for each worker.
///
/// # Errors
/// The first address that cannot be bound.
pub fn bind(addresses: &[SocketAddr], workers: usize) -> Result<Sockets, BindError> {
    let mut sockets = Sockets {
        addresses: Vec::with_capacity(addresses.len()),
        workers: (0..workers)
            .map(|_| Vec::with_capacity(addresses.len()))
            .collect(),
    };
    for &configured in addresses {
        let failed = |source| BindError {
            address: configured,
            source,
        };
        let mut address = configured;
        for worker in &mut sockets.workers {
            let socket = listen(address).map_err(failed)?;
            // Port 0 is chosen by the first socket and shared by the others.
            address = socket.local_addr().map_err(failed)?;
            worker.push(socket);
        }
        sockets.addresses.push(address);
    }
    Ok(sockets)
}

impl Sockets {
    /// Where they listen, free ports resolved.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The sockets, a set for each worker.
    #[must_use]
    pub fn into_workers(self) -> Vec<Vec<TcpListener>> {
        self.workers
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
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
    socket.set_reuse_port(true)?;
    // Linux hands this down to accepted sockets: one system call for all of them.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
