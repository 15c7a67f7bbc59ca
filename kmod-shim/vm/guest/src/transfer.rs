//! Bytes from one end to the other, both ways, with a sum on each side.
//!
//! In: a [`Plan`]. Out: a [`Report`] that says whether what arrived is what was sent. The bytes are
//! a function of their position and a seed, so nothing that is lost, repeated or moved goes unseen.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use progmp_control::mptcp;
use progmp_ir::splitmix64;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, ipproto};
use sha2::{Digest, Sha256};

use crate::Tried;
use crate::net::{End, Net, enter};

/// What is to be transferred.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Bytes from client to server.
    pub(crate) up: u64,
    /// Bytes from server to client.
    pub(crate) down: u64,
    /// Bytes of one write.
    pub(crate) write: usize,
    /// Wait so long after each write, ms.
    pub(crate) pause_ms: u64,
    /// Size of the receive buffers; 0: as the kernel likes.
    pub(crate) receive: usize,
    /// Size of the send buffers; 0: as the kernel likes.
    pub(crate) buffer: usize,
    /// The receivers do not read before so many ms have passed.
    pub(crate) hold_ms: u64,
    /// Subflows beside the first to wait for.
    pub(crate) joins: usize,
    /// How long nothing may arrive.
    pub(crate) patience: Duration,
}

impl Plan {
    /// So many bytes from client to server, over two subflows.
    pub(crate) const fn up(bytes: u64) -> Self {
        Self {
            up: bytes,
            down: 0,
            write: 65_536,
            pause_ms: 0,
            receive: 0,
            buffer: 0,
            hold_ms: 0,
            joins: 1,
            patience: Duration::from_secs(90),
        }
    }

    /// So many bytes each way at once.
    pub(crate) const fn both(bytes: u64) -> Self {
        let mut plan = Self::up(bytes);
        plan.down = bytes;
        plan
    }
}

/// How one direction went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Direction {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) sent_sum: [u8; 32],
    pub(crate) received_sum: [u8; 32],
}

impl Direction {
    fn check(&self, what: &str, expected: u64) -> Result<(), String> {
        if self.sent != expected || self.received != expected {
            return Err(format!(
                "{what}: of {expected} bytes {} were sent and {} arrived",
                self.sent, self.received
            ));
        }
        if self.sent_sum != self.received_sum {
            return Err(format!(
                "{what}: {expected} bytes arrived, but not those sent"
            ));
        }
        Ok(())
    }
}

/// How it went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// Bytes that the client's links carried while it ran.
    pub(crate) client_links: Vec<u64>,
    /// Bytes that the server's links carried while it ran.
    pub(crate) server_links: Vec<u64>,
    pub(crate) time: Duration,
}

/// A connected pair of sockets, before the bytes flow.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) client: TcpStream,
    pub(crate) server: TcpStream,
    /// Without it nobody answers the subflows that join.
    _listener: OwnedFd,
}

/// How far a running transfer is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    up: AtomicU64,
    down: AtomicU64,
}

impl Progress {
    /// Waits until the server has so many bytes.
    pub(crate) fn wait_up(&self, bytes: u64) {
        while self.up.load(Ordering::Relaxed) < bytes {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Ports are not used twice: a connection that lingers must not be in the way.
static PORT: AtomicU16 = AtomicU16::new(5000);

fn socket() -> Result<OwnedFd, String> {
    socket_in(AddressFamily::INET)
}

/// A socket that can have this address, or connect to it.
pub(crate) fn socket_of(address: &SocketAddr) -> Result<OwnedFd, String> {
    socket_in(match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    })
}

fn socket_in(family: AddressFamily) -> Result<OwnedFd, String> {
    net::socket_with(
        family,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        Some(ipproto::MPTCP),
    )
    .tried("an MPTCP socket")
}

/// A listener for whoever connects from outside, and its port.
pub(crate) fn listen() -> Result<(TcpListener, u16), String> {
    let port = PORT.fetch_add(1, Ordering::Relaxed);
    let listener = socket()?;
    let address = SocketAddrV4::new([0, 0, 0, 0].into(), port);
    net::bind(&listener, &address).tried("bind")?;
    net::listen(&listener, 8).tried("listen")?;
    Ok((TcpListener::from(listener), port))
}

/// Connects a client to a server; `prepare` sees the listener and the client's socket before.
pub(crate) fn connect_with(
    plan: &Plan,
    prepare: impl Fn(End, &OwnedFd) -> Result<(), String> + Sync,
) -> Result<Pair, String> {
    let port = PORT.fetch_add(1, Ordering::Relaxed);
    let (ready, listening) = mpsc::channel();
    let buffer = |socket: &OwnedFd| {
        if plan.receive > 0 {
            net::sockopt::set_socket_recv_buffer_size(socket, plan.receive).tried("SO_RCVBUF")?;
        }
        if plan.buffer > 0 {
            net::sockopt::set_socket_send_buffer_size(socket, plan.buffer).tried("SO_SNDBUF")?;
        }
        Ok::<(), String>(())
    };
    thread::scope(|scope| {
        let prepare = &prepare;
        let server = scope.spawn(move || {
            enter(End::Server)?;
            let listener = socket()?;
            buffer(&listener)?;
            prepare(End::Server, &listener)?;
            let address = SocketAddrV4::new([0, 0, 0, 0].into(), port);
            net::bind(&listener, &address).tried("bind")?;
            net::listen(&listener, 8).tried("listen")?;
            ready.send(()).tried("the client is gone")?;
            let accepted = net::accept_with(&listener, SocketFlags::CLOEXEC).tried("accept")?;
            Ok::<_, String>((listener, accepted))
        });
        let client = scope.spawn(move || {
            enter(End::Client)?;
            let socket = socket()?;
            buffer(&socket)?;
            prepare(End::Client, &socket)?;
            listening.recv().tried("the server is gone")?;
            let address = SocketAddrV4::new([10, 0, 1, 2].into(), port);
            net::connect(&socket, &address).tried("connect")?;
            Ok::<_, String>(socket)
        });
        let client = client.join().map_err(|_| "the client panicked")??;
        let (listener, server) = server.join().map_err(|_| "the server panicked")??;
        Ok(Pair {
            client: TcpStream::from(client),
            server: TcpStream::from(server),
            _listener: listener,
        })
    })
}

/// Connects, with nothing special.
pub(crate) fn connect(plan: &Plan) -> Result<Pair, String> {
    connect_with(plan, |_, _| Ok(()))
}

impl Pair {
    /// The client's descriptor, as calls of the device want it.
    pub(crate) fn client_number(&self) -> i32 {
        self.client.as_raw_fd()
    }

    /// The server's.
    pub(crate) fn server_number(&self) -> i32 {
        self.server.as_raw_fd()
    }

    /// A byte each way makes both ends sure of MPTCP; then the subflows are waited for.
    pub(crate) fn join(&mut self, joins: usize) -> Result<(), String> {
        for (from, to) in [(&self.client, &self.server), (&self.server, &self.client)] {
            let (mut from, mut to) = (from, to);
            from.write_all(&[42]).tried("the first byte")?;
            let mut byte = [0];
            to.read_exact(&mut byte).tried("the first byte")?;
        }
        let started = Instant::now();
        loop {
            let counts = [&self.client, &self.server].map(|end| mptcp::info(end.as_fd()));
            let [client, server] = counts;
            let (client, server) = (client.tried("MPTCP_INFO")?, server.tried("MPTCP_INFO")?);
            if client.fallback || server.fallback {
                return Err("the connection fell back to TCP".to_owned());
            }
            let fewer = usize::from(client.subflows.min(server.subflows));
            if fewer >= joins {
                return Ok(());
            }
            if started.elapsed() > Duration::from_secs(20) {
                return Err(format!(
                    "of {joins} subflows the client has {} and the server {}; {}",
                    client.subflows,
                    server.subflows,
                    crate::net::state()
                ));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Transfers by the plan; `meanwhile` runs beside it.
    pub(crate) fn run(
        &self,
        net: &Net,
        plan: &Plan,
        meanwhile: impl FnOnce(&Progress) -> Result<(), String> + Send,
    ) -> Result<Report, String> {
        let before = [net.sent(End::Client)?, net.sent(End::Server)?];
        let started = Instant::now();
        self.flow(plan, meanwhile)?;
        let time = started.elapsed();
        let after = [net.sent(End::Client)?, net.sent(End::Server)?];
        let mut carried = after.iter().zip(&before).map(|(after, before)| {
            let pairs = after.iter().zip(before);
            pairs.map(|(after, before)| after - before).collect()
        });
        Ok(Report {
            client_links: carried.next().unwrap_or_default(),
            server_links: carried.next().unwrap_or_default(),
            time,
        })
    }

    /// The bytes, without a look at the links.
    pub(crate) fn flow(
        &self,
        plan: &Plan,
        meanwhile: impl FnOnce(&Progress) -> Result<(), String> + Send,
    ) -> Result<(), String> {
        let progress = Progress::default();
        for end in [&self.client, &self.server] {
            end.set_read_timeout(Some(plan.patience))
                .tried("SO_RCVTIMEO")?;
            end.set_write_timeout(Some(plan.patience))
                .tried("SO_SNDTIMEO")?;
        }
        let seed = u64::from(PORT.load(Ordering::Relaxed));
        let (up, down) = thread::scope(|scope| {
            let sent_up = scope.spawn(|| send(&self.client, plan.up, plan, seed));
            let got_up = scope.spawn(|| receive(&self.server, plan, &progress.up));
            let sent_down = scope.spawn(|| send(&self.server, plan.down, plan, !seed));
            let got_down = scope.spawn(|| receive(&self.client, plan, &progress.down));
            let beside = meanwhile(&progress);
            let direction = |sent: thread::ScopedJoinHandle<'_, Sum>,
                             got: thread::ScopedJoinHandle<'_, Sum>| {
                let sent = sent.join().map_err(|_| "the sender panicked")??;
                let got = got.join().map_err(|_| "the receiver panicked")??;
                Ok::<_, String>(Direction {
                    sent: sent.0,
                    received: got.0,
                    sent_sum: sent.1,
                    received_sum: got.1,
                })
            };
            let (up, down) = (direction(sent_up, got_up), direction(sent_down, got_down));
            beside?;
            Ok::<_, String>((up?, down?))
        })?;
        up.check("client to server", plan.up)?;
        down.check("server to client", plan.down)
    }
}

/// How many bytes, and their SHA-256.
type Sum = Result<(u64, [u8; 32]), String>;

fn send(mut to: &TcpStream, bytes: u64, plan: &Plan, seed: u64) -> Sum {
    let mut hash = Sha256::new();
    let mut sent = 0;
    let mut buffer = vec![0; plan.write];
    while sent < bytes {
        let length = plan
            .write
            .min(usize::try_from(bytes - sent).unwrap_or(plan.write));
        fill(&mut buffer[..length], seed, sent);
        to.write_all(&buffer[..length])
            .tried(&format!("a write after {sent} bytes"))?;
        hash.update(&buffer[..length]);
        sent += length as u64;
        if plan.pause_ms > 0 {
            thread::sleep(Duration::from_millis(plan.pause_ms));
        }
    }
    to.shutdown(Shutdown::Write).tried("shutdown")?;
    Ok((sent, hash.finalize().into()))
}

fn receive(mut from: &TcpStream, plan: &Plan, progress: &AtomicU64) -> Sum {
    thread::sleep(Duration::from_millis(plan.hold_ms));
    let mut hash = Sha256::new();
    let mut received = 0;
    let mut buffer = vec![0; 262_144];
    loop {
        let length = from
            .read(&mut buffer)
            .tried(&format!("a read after {received} bytes"))?;
        if length == 0 {
            return Ok((received, hash.finalize().into()));
        }
        hash.update(&buffer[..length]);
        received += length as u64;
        progress.store(received, Ordering::Relaxed);
    }
}

/// The bytes from a position of the stream on.
fn fill(buffer: &mut [u8], seed: u64, from: u64) {
    let mut at = from;
    let mut rest = buffer;
    while !rest.is_empty() {
        let word = splitmix64(seed ^ (at / 8)).to_le_bytes();
        let skipped = usize::try_from(at % 8).expect("below 8");
        let length = rest.len().min(8 - skipped);
        let (now, later) = rest.split_at_mut(length);
        now.copy_from_slice(&word[skipped..skipped + length]);
        at += length as u64;
        rest = later;
    }
}
