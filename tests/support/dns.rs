//! A DNS server on a loopback port (RFC 1035), and a resolver that queries it.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use wassette::runtime::Resolve;

use super::wait::DEADLINE;

const HEADER: usize = 12;

/// Answers for the names it knows, and records every name it is asked for.
#[derive(Debug)]
pub struct Dns {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Dns {
    pub fn new<const N: usize>(names: [(&str, &[[u8; 4]]); N]) -> Arc<Self> {
        let names: HashMap<String, Vec<[u8; 4]>> = names
            .iter()
            .map(|(name, addresses)| ((*name).to_owned(), addresses.to_vec()))
            .collect();
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        let thread = std::thread::spawn(move || {
            let mut packet = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut packet) {
                if length < HEADER {
                    return;
                }
                let name = read_name(&packet[HEADER..length]);
                noted.lock().unwrap().push(name.clone());
                let found = names.get(&name).map_or(&[][..], Vec::as_slice);
                let answer = answer(&packet[..length], found);
                socket.send_to(&answer, client).expect("sent");
            }
        });
        Arc::new(Dns {
            address,
            asked,
            thread: Some(thread),
        })
    }

    /// Returns all names it was asked for.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        // A packet too short for a question ends the thread.
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.send_to(&[0], self.address).expect("sent");
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends well");
        }
    }
}

impl Resolve for Dns {
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(DEADLINE))?;
        let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            question.push(label.len() as u8);
            question.extend_from_slice(label.as_bytes());
        }
        question.extend_from_slice(&[0, 0, 1, 0, 1]);
        socket.send_to(&question, self.address)?;
        let mut packet = [0; 512];
        let length = socket.recv(&mut packet)?;
        // A record has sixteen bytes; its address is last.
        let records = packet[question.len()..length].chunks_exact(16);
        Ok(records
            .map(|record| Ipv4Addr::new(record[12], record[13], record[14], record[15]).into())
            .collect())
    }
}

fn read_name(mut question: &[u8]) -> String {
    let mut labels = Vec::new();
    while let [length, rest @ ..] = question
        && *length > 0
    {
        let (label, behind) = rest.split_at(usize::from(*length));
        labels.push(String::from_utf8_lossy(label).into_owned());
        question = behind;
    }
    labels.join(".")
}

fn answer(question: &[u8], addresses: &[[u8; 4]]) -> Vec<u8> {
    let mut answer = question.to_vec();
    let status = if addresses.is_empty() { 0x83 } else { 0x80 };
    answer[2..4].copy_from_slice(&[0x81, status]);
    answer[7] = addresses.len() as u8;
    for address in addresses {
        // The name from the question; type A, class IN, TTL of a minute, four bytes.
        answer.extend_from_slice(&[0xc0, HEADER as u8, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend_from_slice(address);
    }
    answer
}
