//! Owns a wire between a client and a server on this machine that counts what goes over
//! it and can be cut. A new connection gets a new wire.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

pub(crate) struct Meter {
    port: u16,
    wires: Arc<Wires>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Wires {
    /// Bytes from clients.
    sent: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
    over: AtomicBool,
}

impl Meter {
    /// In front of a server at this port.
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
        let port = listener.local_addr().expect("it listens").port();
        let wires = Arc::new(Wires::default());
        let kept = wires.clone();
        let listener = std::thread::spawn(move || {
            let mut wires = Vec::new();
            for client in listener.incoming().flatten() {
                if kept.over.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                wires.extend(kept.lay(client, server));
            }
            for wire in wires {
                wire.join().expect("a wire panics nowhere");
            }
        });
        Self { port, wires, listener: Some(listener) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Bytes that clients have sent.
    pub(crate) fn sent(&self) -> u64 {
        self.wires.sent.load(Ordering::Relaxed)
    }

    /// Cuts every wire that is there.
    pub(crate) fn cut(&self) {
        for stream in self.wires.open().drain(..) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Wires {
    fn open(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lay(self: &Arc<Self>, client: TcpStream, server: TcpStream) -> Vec<JoinHandle<()>> {
        let twice = |stream: &TcpStream| stream.try_clone().expect("a descriptor is free");
        self.open().extend([twice(&client), twice(&server)]);
        let ways = [(twice(&client), twice(&server), true), (server, client, false)];
        let wire = |(from, to, counts): (TcpStream, TcpStream, bool)| {
            let wires = self.clone();
            std::thread::spawn(move || wires.carry(from, to, counts))
        };
        ways.into_iter().map(wire).collect()
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream, counts: bool) {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
            if counts {
                self.sent.fetch_add(n as u64, Ordering::Relaxed);
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.wires.over.store(true, Ordering::Relaxed);
        self.cut();
        // The listener looks up once more.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}
