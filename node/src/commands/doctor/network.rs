//! Ports, addresses, and whoever answers at them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket},
    time::Duration,
};

use libp2p::{Multiaddr, multiaddr::Protocol};

use super::finding::Finding;
use crate::{config::Config, endpoint::Endpoint, net::is_private};

/// How long somebody may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// A place of the documentation range. Nothing is ever sent to it: the system is only asked which of its own addresses
/// it would send from.
const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// What a multiaddress asks of the system.
enum Wanted {
    Tcp(String, u16),
    Udp(String, u16),
}

impl Wanted {
    fn of(address: &Multiaddr) -> Option<Self> {
        let mut parts = address.iter();
        let host = match parts.next()? {
            Protocol::Ip4(ip) => ip.to_string(),
            Protocol::Ip6(ip) => ip.to_string(),
            Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => name.into_owned(),
            _ => return None,
        };
        match parts.next()? {
            Protocol::Tcp(port) => Some(Self::Tcp(host, port)),
            Protocol::Udp(port) => Some(Self::Udp(host, port)),
            _ => None,
        }
    }
}

/// Tries to have every port that the node would listen on, and gives it back.
pub(super) fn listen(config: &Config) -> Vec<Finding> {
    let mut findings: Vec<Finding> = config.net.listen.iter().map(port).collect();
    let http = config.http.listen;
    findings.push(match TcpListener::bind(http) {
        Ok(_) => Finding::fine("ports", format_args!("http.listen {http} is free")),
        Err(error) => Finding::stops(
            "ports",
            format_args!("http.listen {http} cannot be had ({error}); stop whoever has it, or write 127.0.0.1:0 for any free port"),
        ),
    });
    findings
}

fn port(address: &Multiaddr) -> Finding {
    let had = match Wanted::of(address) {
        Some(Wanted::Tcp(host, port)) => TcpListener::bind((host.as_str(), port)).map(drop),
        Some(Wanted::Udp(host, port)) => UdpSocket::bind((host.as_str(), port)).map(drop),
        None => Err(io::Error::new(io::ErrorKind::Unsupported, "neither TCP nor QUIC")),
    };
    match had {
        Ok(()) => Finding::fine("ports", format_args!("{address} is free")),
        Err(error) => Finding::stops(
            "ports",
            format_args!("net.listen {address} cannot be had ({error}); stop whoever has the port, or choose another"),
        ),
    }
}

/// Looks at this machine's own place in the network, and at the members that the configuration names.
pub(super) fn reach(config: &Config) -> Vec<Finding> {
    let mut findings = vec![place(config)];
    findings.extend(config.net.bootstrap.iter().map(bootstrap));
    findings
}

fn place(config: &Config) -> Finding {
    let lonely = config.net.bootstrap.is_empty() && !config.net.mdns;
    if lonely {
        return Finding::warns(
            "network",
            "mdns is off and no bootstrap address is given, so this node only waits to be dialled; write one into net.bootstrap if nobody knows it",
        );
    }
    match here() {
        Ok(ip) if is_private(ip) => Finding::fine(
            "network",
            format_args!(
                "this machine is {ip}, a private address: members on its LAN reach it; from elsewhere through a port that the router forwards or a member that relays, since whether the router lets others in cannot be known from here"
            ),
        ),
        Ok(ip) => Finding::fine(
            "network",
            format_args!("this machine is {ip}, a public address, if no firewall stands before it"),
        ),
        Err(error) => Finding::warns(
            "network",
            format_args!(
                "this machine has no route to others ({error}); connect it to a network, unless all members run here"
            ),
        ),
    }
}

/// The address that this machine would send from.
fn here() -> io::Result<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(ELSEWHERE)?;
    Ok(socket.local_addr()?.ip())
}

/// Whether that address is one that others elsewhere cannot dial.
pub(super) fn is_private_here() -> bool {
    here().is_ok_and(is_private)
}

/// A member that does not answer may only be off, which never stops a node.
fn bootstrap(address: &Multiaddr) -> Finding {
    match Wanted::of(address) {
        Some(Wanted::Tcp(host, port)) => match connect(&host, port) {
            Ok(_) => Finding::fine("bootstrap", format_args!("somebody accepts connections at {address}")),
            Err(error) => Finding::warns(
                "bootstrap",
                format_args!(
                    "nobody answers at {address} ({error}); check the address and that node's firewall, or start it"
                ),
            ),
        },
        Some(Wanted::Udp(..)) => {
            Finding::fine("bootstrap", format_args!("{address} is QUIC, of which only a running node can tell"))
        }
        None => Finding::warns("bootstrap", format_args!("{address} is neither TCP nor QUIC; correct it")),
    }
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        let address: SocketAddr = address;
        match TcpStream::connect_timeout(&address, CONNECT_WITHIN) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Asks the language model's endpoint which model it serves, if one is configured.
pub(super) fn endpoint(config: &Config) -> Option<Finding> {
    let endpoint = match Endpoint::configured(&config.agents) {
        Ok(endpoint) => endpoint?,
        Err(error) => return Some(Finding::stops("endpoint", error)),
    };
    let address = endpoint.address().to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = match runtime {
        Ok(runtime) => runtime.block_on(endpoint.model()).map_err(|refusal| refusal.to_string()),
        Err(error) => Err(error.to_string()),
    };
    Some(match asked {
        Ok(model) => Finding::fine("endpoint", format_args!("{address} serves {model}")),
        Err(why) => Finding::warns(
            "endpoint",
            format_args!(
                "{address}: {why}; start the server or correct agents.endpoint; until then agents decide by rules"
            ),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_found() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("/ip4/127.0.0.1/tcp/{}", taken.local_addr().unwrap().port()).parse().unwrap();
        assert!(port(&address).says.contains("cannot be had"));
        drop(taken);
        assert!(port(&address).says.contains("is free"));
    }
}
