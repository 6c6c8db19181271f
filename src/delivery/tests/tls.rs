//! Upstreams over TLS.

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use super::*;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }
}

fn trusting(peer: &Peer, authority: &Authority) -> Arc<Upstream> {
    let ca = Some(authority.pem());
    upstream(UpstreamSettings {
        ca,
        ..settings("ci", "https", peer.port)
    })
}

#[tokio::test]
async fn an_upstream_whose_authority_is_given_is_trusted() {
    let (house, peer, authority) = (House::new(), Peer::new().await, Authority::new());
    let acceptor = authority.acceptor();
    let contract = once(house.contract(Ack::Upstream, &[&trusting(&peer, &authority)]));

    let (told, request) = tokio::join!(house.hand_over(&contract), async {
        let tcp = peer.accept().await.0;
        let mut line = Line(acceptor.accept(tcp).await.unwrap());
        let request = line.request().await;
        line.say(OK).await;
        request
    });

    assert_eq!(status(&told), Some(200));
    assert_eq!(request.body, b"{\"a\":1}");
}

#[tokio::test]
async fn an_upstream_of_another_authority_gets_nothing() {
    let (house, peer) = (House::new(), Peer::new().await);
    let acceptor = Authority::new().acceptor();
    let contract = once(house.contract(Ack::Upstream, &[&trusting(&peer, &Authority::new())]));

    let (told, accepted) = tokio::join!(house.hand_over(&contract), async {
        let tcp = peer.accept().await.0;
        acceptor.accept(tcp).await.is_ok()
    });

    assert_eq!(cause(&told), Some(Cause::Tls));
    assert!(!accepted);
}
