//! A name server on UDP and TCP that says what a test wants, and remembers what it was asked.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_util::task::AbortOnDropHandle;

use super::super::NameServers;

/// The most that goes into one datagram; a longer answer is asked for again over TCP.
const MOST_UDP: usize = 1232;

/// What is said of a name.
#[derive(Debug, Clone)]
pub(super) enum Say {
    /// Those of these addresses that are of the family that is asked for; no record if none is.
    Addresses(Vec<IpAddr>),
    /// NXDOMAIN.
    NotFound,
    /// SERVFAIL.
    Failure,
    /// Nothing.
    Silence,
}

/// One question: a full name, and A or AAAA.
pub(super) type Question = (String, RecordType);

/// A name server; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Question>>>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

type Saying = dyn Fn(&str, RecordType, usize) -> Say + Send + Sync;

struct Script {
    say: Box<Saying>,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl NameServer {
    /// A name server on a free port of 127.0.0.1; `say` gets the name, with a dot at its end, the type, and which such
    /// question it is, from 1.
    pub(super) async fn start(say: impl Fn(&str, RecordType, usize) -> Say + Send + Sync + 'static) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = tcp.local_addr().expect("an address");
        let udp = UdpSocket::bind(address).await.expect("the same port is free for UDP");
        let asked = Arc::default();
        let script = Arc::new(Script { say: Box::new(say), asked: Arc::clone(&asked) });
        let tasks = [tokio::spawn(serve_udp(udp, Arc::clone(&script))), tokio::spawn(serve_tcp(tcp, script))];
        Self { address, asked, _tasks: tasks.map(AbortOnDropHandle::new) }
    }

    /// The options that ask it, with a search list.
    pub(super) fn options(&self, search: &[&str], ndots: usize) -> NameServers {
        let search = search.iter().map(|&domain| domain.to_owned()).collect();
        NameServers { servers: vec![self.address], search, ndots }
    }

    /// What it was asked, in order; a question that came over UDP and again over TCP stands there twice.
    pub(super) fn asked(&self) -> Vec<Question> {
        self.asked.lock().expect("no panic").clone()
    }

    /// The names that it was asked for, sorted, with how often.
    pub(super) fn counts(&self) -> Vec<(String, usize)> {
        let mut counts = std::collections::BTreeMap::new();
        for (name, _) in self.asked() {
            *counts.entry(name).or_default() += 1;
        }
        counts.into_iter().collect()
    }
}

async fn serve_udp(socket: UdpSocket, script: Arc<Script>) {
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let Some(answer) = script.answer(&buffer[..length]) else { continue };
        let mut bytes = answer.to_vec().expect("it can be written");
        if bytes.len() > MOST_UDP {
            bytes = answer.truncate().to_vec().expect("it can be written");
        }
        let _ = socket.send_to(&bytes, from).await;
    }
}

async fn serve_tcp(listener: TcpListener, script: Arc<Script>) {
    let mut connections = Vec::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let script = Arc::clone(&script);
        connections.push(AbortOnDropHandle::new(tokio::spawn(async move {
            while let Some(question) = read_framed(&mut stream).await {
                let Some(answer) = script.answer(&question) else { continue };
                let bytes = answer.to_vec().expect("it can be written");
                let length = u16::try_from(bytes.len()).expect("it is not too long").to_be_bytes();
                if stream.write_all(&[&length[..], &bytes].concat()).await.is_err() {
                    return;
                }
            }
        })));
    }
}

async fn read_framed(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let length = stream.read_u16().await.ok()?;
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}

impl Script {
    fn answer(&self, question: &[u8]) -> Option<Message> {
        let mut message = Message::from_vec(question).expect("a question");
        let query = message.queries.first().expect("a question").clone();
        let (name, family) = (query.name().to_string().to_ascii_lowercase(), query.query_type());
        let nth = {
            let mut asked = self.asked.lock().expect("no panic");
            asked.push((name.clone(), family));
            asked.iter().filter(|question| **question == (name.clone(), family)).count()
        };
        message.metadata.message_type = MessageType::Response;
        message.metadata.recursion_available = true;
        match (self.say)(&name, family, nth) {
            Say::Silence => return None,
            Say::NotFound => message.metadata.response_code = ResponseCode::NXDomain,
            Say::Failure => message.metadata.response_code = ResponseCode::ServFail,
            Say::Addresses(addresses) => {
                let wanted = |address: &IpAddr| address.is_ipv6() == (family == RecordType::AAAA);
                let records = addresses.into_iter().filter(wanted);
                message.answers =
                    records.map(|address| Record::from_rdata(query.name().clone(), 60, RData::from(address))).collect();
            }
        }
        Some(message)
    }
}
