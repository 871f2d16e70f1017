//! A scripted name server on loopback, and the program on a machine with an `/etc` of the test's own.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::program::skipped;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record};

/// How often the server looks whether it is to stop.
const GLANCE: Duration = Duration::from_millis(20);

/// What is said of a full name (`a.test.`).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Say {
    /// It has this IPv4 address, and no other.
    Address(Ipv4Addr),
    /// NXDOMAIN.
    NotFound,
    /// SERVFAIL.
    Failure,
    /// Nothing.
    Silence,
}

/// A name server on port 53 of an address of loopback, on UDP; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct NameServer {
    address: IpAddr,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Listens at `address`, of which each test has its own. Fails where only root may use the port, as `/etc/resolv.conf`
    /// knows no other.
    pub(crate) fn start(address: [u8; 4], say: impl Fn(&str) -> Say + Send + 'static) -> io::Result<Self> {
        let address = IpAddr::from(address);
        let socket = UdpSocket::bind((address, 53))?;
        socket.set_read_timeout(Some(GLANCE))?;
        let (asked, stop) = (Arc::<Mutex<BTreeMap<String, usize>>>::default(), Arc::<AtomicBool>::default());
        let thread = std::thread::spawn({
            let (asked, stop) = (asked.clone(), stop.clone());
            move || {
                let mut buffer = [0; 4096];
                while !stop.load(Ordering::Relaxed) {
                    let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                    if let Some(answer) = answer(&buffer[..length], &asked, &say) {
                        // A client that went does not want it.
                        let _ = socket.send_to(&answer, from);
                    }
                }
            }
        });
        Ok(Self { address, asked, stop, thread: Some(thread) })
    }

    /// The line of `/etc/resolv.conf` that names it.
    pub(crate) fn line(&self) -> String {
        format!("nameserver {}\n", self.address)
    }

    /// The names that it was asked for, sorted, with how often; each has questions of its own for IPv4 and IPv6.
    pub(crate) fn asked(&self) -> Vec<(String, usize)> {
        self.asked.lock().expect("no panic").clone().into_iter().collect()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))), "the name server broke");
    }
}

fn answer(question: &[u8], asked: &Mutex<BTreeMap<String, usize>>, say: &impl Fn(&str) -> Say) -> Option<Vec<u8>> {
    let mut message = Message::from_vec(question).ok()?;
    let query = message.queries.first()?.clone();
    let name = query.name().to_string().to_ascii_lowercase();
    *asked.lock().expect("no panic").entry(name.clone()).or_default() += 1;
    message.metadata.message_type = MessageType::Response;
    match say(&name) {
        Say::Silence => return None,
        Say::NotFound => message.metadata.response_code = ResponseCode::NXDomain,
        Say::Failure => message.metadata.response_code = ResponseCode::ServFail,
        Say::Address(address) => {
            let record = Record::from_rdata(query.name().clone(), 60, RData::from(IpAddr::from(address)));
            message.answers.extend((record.record_type() == query.query_type()).then_some(record));
        }
    }
    message.to_vec().ok()
}

/// The program where `/etc` has only the files of this directory. That `/etc` is seen by this one process, and goes with it.
/// `None`, with the reason on standard error, where the system lets nobody do that.
pub(crate) fn gather_with_etc(etc: &Path) -> Option<Command> {
    const SCRIPT: &str = r#"mount -t tmpfs tmpfs /etc || exit 99; cp "$0"/* /etc && exec "$@""#;
    let unshared = |program: &str| {
        let mut command = super::program::command("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", SCRIPT]).arg(etc).arg(program);
        command
    };
    match unshared("true").output() {
        Ok(output) if output.status.success() => return Some(unshared(env!("CARGO_BIN_EXE_gather"))),
        Ok(output) => skipped(&String::from_utf8_lossy(&output.stderr)),
        Err(error) => skipped(&error.to_string()),
    }
    None
}
