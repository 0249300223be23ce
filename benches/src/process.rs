//! Programs that are measured: started, watched by what Linux tells of them, ended.

use anyhow::{Context, Result, bail};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Clock ticks a second in /proc: a constant of Linux's interface to programs (`USER_HZ`).
const TICKS: f64 = 100.0;

/// A program that runs; it ends with this value.
pub struct Process {
    child: Child,
}

impl Process {
    pub fn start(command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("{command:?} did not start"))?;
        Ok(Self { child })
    }

    /// Starts a server and waits until it listens; tells how long that took.
    pub fn serve(command: &mut Command, address: SocketAddr) -> Result<(Self, Duration)> {
        let started = Instant::now();
        let mut process = Self::start(command)?;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = process.child.try_wait()? {
                bail!("{command:?} ended: {status}");
            }
            if started.elapsed() > Duration::from_secs(30) {
                bail!("{command:?} does not listen on {address}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok((process, started.elapsed()))
    }

    /// Waits for its end; an error when it failed.
    pub fn wait(mut self) -> Result<()> {
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            bail!("ended with {status}")
        }
    }

    /// The most memory it held so far, in bytes; `None` once it has ended.
    pub fn peak_memory(&self) -> Option<u64> {
        self.status("VmHWM:")
    }

    /// The memory that it holds now, in bytes.
    pub fn memory(&self) -> Option<u64> {
        self.status("VmRSS:")
    }

    fn status(&self, name: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with(name))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib * 1024)
    }

    /// The processor time it has used.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may hold spaces; user and system time are the 14th and 15th field.
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |n: usize| {
            fields
                .get(n)
                .and_then(|f| f.parse::<f64>().ok())
                .context("/proc/…/stat")
        };
        Ok(Duration::from_secs_f64((ticks(11)? + ticks(12)?) / TICKS))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on which nobody listens.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
