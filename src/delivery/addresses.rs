//! The addresses of a name: the first that answers is taken.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;
use std::vec;

use tokio::net::TcpStream;

/// Of an address on the next one of the same name: what RFC 8305, 8 recommends.
const HEAD_START: Duration = Duration::from_millis(250);

/// The first of these addresses that answers. Each has a head start on the next, and none takes the time
/// of the others.
pub(super) fn first(
    mut addresses: vec::IntoIter<SocketAddr>,
) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>> {
    Box::pin(async move {
        let Some(address) = addresses.next() else {
            return Err(io::Error::other("the name has no address"));
        };
        let mut connecting = pin!(TcpStream::connect(address));
        if addresses.len() == 0 {
            return connecting.await;
        }
        match tokio::time::timeout(HEAD_START, connecting.as_mut()).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(_)) => return first(addresses).await,
            Err(_elapsed) => {}
        }
        let mut others = first(addresses);
        tokio::select! {
            connected = &mut connecting => match connected {
                Ok(tcp) => Ok(tcp),
                Err(_) => others.await,
            },
            connected = &mut others => match connected {
                Ok(tcp) => Ok(tcp),
                Err(_) => connecting.await,
            },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{HEAD_START, first};
    use std::net::SocketAddr;
    use std::time::Duration;
    use tokio::net::{TcpListener, TcpSocket, TcpStream};
    use tokio::time::timeout;

    const ANY: &str = "127.0.0.1:0";

    #[tokio::test]
    async fn an_address_that_says_nothing_takes_no_time_of_those_that_follow() {
        // Its backlog is full: the kernel drops what else comes.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(ANY.parse().unwrap()).unwrap();
        let silent = socket.listen(0).unwrap();
        let mute = silent.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(open) = timeout(Duration::from_millis(200), TcpStream::connect(mute)).await {
            waiting.push(open.unwrap());
        }
        let live = TcpListener::bind(ANY).await.unwrap();
        let address = live.local_addr().unwrap();
        let reach = async |addresses: Vec<SocketAddr>| {
            timeout(3 * HEAD_START, first(addresses.into_iter())).await
        };

        let reached = reach(vec![mute, address]).await.unwrap().unwrap();
        let alone = reach(vec![mute]).await;
        let behind = reach(vec![address, mute]).await.unwrap().unwrap();

        assert_eq!(reached.peer_addr().unwrap(), address);
        assert!(alone.is_err(), "the address is not mute");
        assert_eq!(behind.peer_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_passed_over_at_once_and_the_last_refusal_is_told() {
        let free = TcpSocket::new_v4().unwrap();
        free.bind(ANY.parse().unwrap()).unwrap();
        let closed = free.local_addr().unwrap();
        let live = TcpListener::bind(ANY).await.unwrap();
        let address = live.local_addr().unwrap();

        let reached = timeout(HEAD_START, first(vec![closed, address].into_iter())).await;
        let refused = first(vec![closed, closed].into_iter()).await;

        assert_eq!(reached.unwrap().unwrap().peer_addr().unwrap(), address);
        let refused = refused.unwrap_err().kind();
        assert_eq!(refused, std::io::ErrorKind::ConnectionRefused);
    }
}
