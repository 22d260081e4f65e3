//! A model of 500 MB from one holder to eight members at once on loopback, everything in one process, beside a plain copy
//! of as many bytes over one TCP connection.
//!
//!   cargo bench --profile dev -p althing-node --bench swarm [-- MEGABYTES MEMBERS]

mod village;

use std::{
    fs::File,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use althing_node::blobs::Durability;
use tokio::runtime::Runtime;
use village::Node;

/// What one pass has shown.
struct Pass {
    copy: Duration,
    share: Duration,
    /// Copies that the holder has sent, and those that each of the others has.
    given: (f64, Vec<f64>),
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse().ok());
    let (megabytes, members): (usize, usize) = (numbers.next().unwrap_or(500), numbers.next().unwrap_or(8));
    let mut content = vec![0; megabytes * 1_000_000];
    blake3::Hasher::new().finalize_xof().fill(&mut content);
    // The first pass warms caches and buffers.
    for number in 0..3 {
        let Pass { copy, share, given: (holder, others) } = pass(&content, members);
        println!(
            "pass {number}: one copy over TCP {:.2} s; {members} members {:.2} s, {:.1} times as long, {:.0} MB/s in all; copies sent: {holder:.2} by the holder, {others:.2?} by the others",
            copy.as_secs_f64(),
            share.as_secs_f64(),
            share.as_secs_f64() / copy.as_secs_f64(),
            (members * megabytes) as f64 / share.as_secs_f64(),
        );
    }
}

fn pass(content: &[u8], members: usize) -> Pass {
    let copy = plain_copy(content).expect("loopback works");
    let runtime = Runtime::new().expect("a runtime");
    let (share, given) = runtime.block_on(share(content, members));
    Pass { copy, share, given }
}

/// Sends `content` over one connection into a file.
fn plain_copy(content: &[u8]) -> io::Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let dir = tempfile::tempdir()?;
    let mut file = File::create(dir.path().join("copy"))?;
    let started = Instant::now();
    let receiver = thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                read => file.write_all(&buffer[..read])?,
            }
        }
    });
    TcpStream::connect(address)?.write_all(content)?;
    receiver.join().expect("the receiver does not panic")?;
    Ok(started.elapsed())
}

async fn share(content: &[u8], members: usize) -> (Duration, (f64, Vec<f64>)) {
    let holder = Node::start(&[]).await;
    let blob = holder.blobs.store().put(content, Durability::Refetchable).expect("a working disk");
    let mut nodes: Vec<Node> = Vec::new();
    for _ in 0..members {
        let others: Vec<_> = std::iter::once(&holder).chain(&nodes).map(|node| node.address.clone()).collect();
        nodes.push(Node::start(&others).await);
    }
    let started = Instant::now();
    for node in &nodes {
        node.blobs.fetch(blob, &[holder.member]).expect("a sound reference");
    }
    for node in &mut nodes {
        node.ready(blob).await;
    }
    let took = started.elapsed();
    let copies = |node: &Node| node.blobs.stats().bytes_up() as f64 / content.len() as f64;
    (took, (copies(&holder), nodes.iter().map(copies).collect()))
}
