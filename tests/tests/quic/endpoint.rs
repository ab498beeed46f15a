//! A real QUIC server, whose connection ids say whose they are, and a client that can change its address.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use quinn::{
    ClientConfig, Connection, ConnectionId, ConnectionIdGenerator, Endpoint, EndpointConfig, RecvStream, SendStream,
    ServerConfig, TokioRuntime,
    rustls::{
        RootCertStore,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};
use tests::{lab::Namespace, packet::quic::connection_id};

/// The name in the servers' certificate.
const NAME: &str = "sluice.test";
/// What is sent to and fro, in bytes.
const CHUNK: usize = 600;
/// After this time without an answer a connection counts as broken. The longest wait that a healthy one has is that for a lost
/// packet's retransmission.
const PATIENCE: Duration = Duration::from_secs(2);

/// A certificate that servers and clients of a test agree on.
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Identity {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()])?;
        Ok(Self { certificate: made.cert.der().clone(), key: made.signing_key.serialize_der().into() })
    }

    fn server(&self) -> anyhow::Result<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(self.key.clone_key());
        Ok(ServerConfig::with_single_cert(vec![self.certificate.clone()], key)?)
    }

    fn client(&self) -> anyhow::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        Ok(ClientConfig::with_root_certificates(Arc::new(roots))?)
    }
}

/// Forms connection ids as QUIC-LB has them. The nonce counts, because no two ids of a server may be the same.
struct Named {
    rotation: u8,
    server_id: [u8; 2],
    nonce: Arc<AtomicU64>,
}

impl ConnectionIdGenerator for Named {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = connection_id(self.rotation, &self.server_id);
        id[3..].copy_from_slice(&self.nonce.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        11
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// Starts a server in a namespace: it answers each chunk of a stream with one that begins with its number.
pub(crate) fn serve(
    host: &Namespace,
    address: SocketAddr,
    identity: &Identity,
    rotation: u8,
    number: u8,
) -> anyhow::Result<Endpoint> {
    let mut config = EndpointConfig::default();
    let nonce = Arc::new(AtomicU64::new(0));
    config.cid_generator(move || Box::new(Named { rotation, server_id: [0x0a, number], nonce: Arc::clone(&nonce) }));
    let endpoint = Endpoint::new(config, Some(identity.server()?), socket(host, address)?, Arc::new(TokioRuntime))?;
    let accepting = endpoint.clone();
    tokio::spawn(async move {
        while let Some(incoming) = accepting.accept().await {
            tokio::spawn(async move {
                // A client that goes away is no fault of the server's.
                if let Ok(connection) = incoming.await
                    && let Ok((sending, receiving)) = connection.accept_bi().await
                {
                    let _ = answer(sending, receiving, number).await;
                }
            });
        }
    });
    Ok(endpoint)
}

async fn answer(mut sending: SendStream, mut receiving: RecvStream, number: u8) -> anyhow::Result<()> {
    let mut chunk = [0; CHUNK];
    loop {
        receiving.read_exact(&mut chunk).await?;
        chunk[0] = number;
        sending.write_all(&chunk).await?;
    }
}

fn socket(host: &Namespace, address: SocketAddr) -> anyhow::Result<UdpSocket> {
    host.enter(|| UdpSocket::bind(address))?.with_context(|| format!("{} cannot have {address}", host.name()))
}

/// A client with one connection and one stream.
pub(crate) struct Client {
    host: Namespace,
    endpoint: Endpoint,
    sending: SendStream,
    receiving: RecvStream,
    next: u8,
    _connection: Connection,
}

impl Client {
    /// Connects from this port.
    pub(crate) async fn connect(
        host: &Namespace,
        port: u16,
        server: SocketAddr,
        identity: &Identity,
    ) -> anyhow::Result<Self> {
        let socket = socket(host, (Ipv4Addr::UNSPECIFIED, port).into())?;
        let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime))?;
        let connecting = endpoint.connect_with(identity.client()?, server, NAME)?;
        let connection = tokio::time::timeout(PATIENCE, connecting).await.context("no handshake")??;
        let (sending, receiving) = connection.open_bi().await?;
        Ok(Self { host: host.clone(), endpoint, sending, receiving, next: 0, _connection: connection })
    }

    /// Sends a chunk on the stream; the number of the server that answered.
    pub(crate) async fn ask(&mut self) -> anyhow::Result<u8> {
        self.next = self.next.wrapping_add(1);
        let sent = [self.next; CHUNK];
        let mut received = [0; CHUNK];
        let exchange = async {
            self.sending.write_all(&sent).await?;
            self.receiving.read_exact(&mut received).await?;
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, exchange).await.context("no answer")??;
        ensure!(received[1..] == sent[1..], "another answer than was asked for");
        Ok(received[0])
    }

    /// Goes on from another port, as behind a NAT that has forgotten the connection.
    pub(crate) fn move_to(&self, port: u16) -> anyhow::Result<()> {
        Ok(self.endpoint.rebind(socket(&self.host, (Ipv4Addr::UNSPECIFIED, port).into())?)?)
    }

    /// Ends the connection and gives the port back.
    pub(crate) async fn close(self) {
        self.endpoint.close(0u8.into(), b"done");
        self.endpoint.wait_idle().await;
    }
}
