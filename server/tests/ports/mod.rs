//! Ports for servers that run as processes of their own, which have to be told theirs before they listen.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// How many a test program may ask for.
const EACH: u16 = 1_000;

/// An address on which nobody listens, and which nobody takes before the server that is told it: it lies below the
/// ports that the system hands out by itself (32768 and up, `ip_local_port_range`), and is given once.
pub(crate) fn free_address() -> SocketAddr {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Another test program beside this one begins elsewhere.
    let first = 10_000 + EACH * u16::try_from(std::process::id() % 20).expect("below 20");
    loop {
        let next = GIVEN.fetch_add(1, Ordering::Relaxed);
        assert!(next < EACH, "no free port");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, first + next));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
