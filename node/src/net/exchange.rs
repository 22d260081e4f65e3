//! What peers tell each other about other peers: addresses to try, and nothing that anybody needs to believe.

use althing_protocol::{
    codec::{self, DecodeError},
    ids::MemberId,
};
use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::address::{self, ADDRESSES_PER_PEER, Locality};

/// Peers that one answer names.
pub(super) const RECORDS_MAX: usize = 64;

/// Longest question: it has no content.
pub(super) const QUESTION_BYTES_MAX: usize = 0;

/// Longest answer, in bytes.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// One peer and where it may be found.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    member: MemberId,
    addresses: Vec<ByteBuf>,
}

/// A peer and the addresses that it was said to have.
pub(super) type Hint = (MemberId, Vec<Multiaddr>);

/// The answer that names `hints`, or as many of them as fit.
pub(super) fn encode(hints: &[Hint], asker: Locality) -> Vec<u8> {
    let mut records = Vec::new();
    for (member, addresses) in hints.iter().take(RECORDS_MAX) {
        let told = address::dialable(addresses, asker);
        if !told.is_empty() {
            let addresses = told.iter().map(|address| ByteBuf::from(address.to_vec())).collect();
            records.push(Record { member: *member, addresses });
        }
    }
    // The worst case of all bounds together would not fit; real addresses are a tenth of the longest.
    while codec::encode(&records).len() > ANSWER_BYTES_MAX {
        records.pop();
    }
    codec::encode(&records)
}

/// The hints in an answer from a peer at `teller`: at most the bounds of this module, whatever it sent.
pub(super) fn decode(bytes: &[u8], teller: Locality) -> Result<Vec<Hint>, DecodeError> {
    let records: Vec<Record> = codec::decode(bytes, ANSWER_BYTES_MAX)?;
    let hint = |record: Record| {
        let parsed = record.addresses.into_iter().take(ADDRESSES_PER_PEER);
        let parsed: Vec<_> = parsed.filter_map(|bytes| Multiaddr::try_from(bytes.into_vec()).ok()).collect();
        (record.member, address::dialable(&parsed, teller))
    };
    Ok(records.into_iter().take(RECORDS_MAX).map(hint).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(byte: u8, address: &str) -> Hint {
        (MemberId([byte; 32]), vec![address.parse().unwrap()])
    }

    #[test]
    fn hints_come_back() {
        let hints = vec![hint(1, "/ip4/10.0.0.1/tcp/1"), hint(2, "/ip4/10.0.0.2/udp/2/quic-v1")];
        assert_eq!(decode(&encode(&hints, Locality::Remote), Locality::Remote).unwrap(), hints);
    }

    #[test]
    fn loopback_stays_on_the_machine() {
        let hints = vec![hint(1, "/ip4/127.0.0.1/tcp/1")];
        assert_eq!(decode(&encode(&hints, Locality::Loopback), Locality::Loopback).unwrap(), hints);
        assert_eq!(decode(&encode(&hints, Locality::Remote), Locality::Remote).unwrap(), vec![]);
        let forced = decode(&encode(&hints, Locality::Loopback), Locality::Remote).unwrap();
        assert_eq!(forced, vec![(MemberId([1; 32]), vec![])]);
    }

    #[test]
    fn answers_are_bounded_in_peers_and_bytes() {
        let name = "a".repeat(240);
        let long = |port| format!("/dns4/{name}/tcp/{port}").parse::<Multiaddr>().unwrap();
        let hints: Vec<Hint> = (0..200).map(|byte| (MemberId([byte; 32]), (1..20).map(long).collect())).collect();
        let answer = encode(&hints, Locality::Remote);
        assert!(answer.len() <= ANSWER_BYTES_MAX);
        let decoded = decode(&answer, Locality::Remote).unwrap();
        assert!(decoded.len() <= RECORDS_MAX && decoded.iter().all(|(_, told)| told.len() <= ADDRESSES_PER_PEER));
    }

    #[test]
    fn whom_a_member_knows_is_told_in_four_kilobytes() {
        let addresses = |byte| {
            let tcp = format!("/ip4/192.168.1.{byte}/tcp/4001").parse().unwrap();
            vec![tcp, format!("/ip4/192.168.1.{byte}/udp/4001/quic-v1").parse().unwrap()]
        };
        let hints: Vec<Hint> = (0..=127).map(|byte| (MemberId([byte; 32]), addresses(byte))).collect();
        let answer = encode(&hints, Locality::Remote);
        assert_eq!(decode(&answer, Locality::Remote).unwrap().len(), RECORDS_MAX);
        assert!(answer.len() < 4_096, "{} bytes", answer.len());
    }

    #[test]
    fn garbage_is_refused() {
        for bytes in [&b""[..], b"\xff\xff", b"\x9f", &[0x9b; 9], &[0; ANSWER_BYTES_MAX + 1]] {
            assert!(decode(bytes, Locality::Remote).is_err());
        }
    }
}
