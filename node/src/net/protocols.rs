//! The names under which peers speak, and how long what they say may be.

use althing_protocol::ids::NetworkId;
use libp2p::{StreamProtocol, gossipsub::IdentTopic};

use super::{NetError, topic::Topic};

/// Longest request, in bytes.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// Longest answer, in bytes: a body of a mebibyte with its certificate fits.
pub const REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What identify says before the network id. All federations share it.
const GREETING: &str = "althing/1/";

/// All names of one federation.
#[derive(Debug, Clone)]
pub(super) struct Protocols {
    network: NetworkId,
    short: String,
}

impl Protocols {
    /// The names of `network`.
    pub(super) fn new(network: NetworkId) -> Self {
        let short = hex::encode(&network.as_bytes()[..8]);
        Self { network, short }
    }

    /// What this node says in identify: the whole network id, since eight bytes of it could be forged.
    pub(super) fn greeting(&self) -> String {
        format!("{GREETING}{}", self.network)
    }

    /// The protocol `name` of this federation.
    ///
    /// # Errors
    /// [`NetError::Settings`] never, as all names are ours; the type only cannot say so.
    pub(super) fn stream(&self, name: &str) -> Result<StreamProtocol, NetError> {
        StreamProtocol::try_from_owned(format!("/althing/{}/{name}", self.short))
            .map_err(|error| NetError::Settings(format!("protocol name {name:?}: {error}")))
    }

    /// The prefix of the gossip protocol.
    pub(super) fn gossip_prefix(&self) -> String {
        format!("/althing/{}/gossip", self.short)
    }

    /// The topic's name on the wire. Gossip signatures cover it, so a message never counts in another federation.
    pub(super) fn topic(&self, topic: Topic) -> IdentTopic {
        IdentTopic::new(format!("althing/{}/{}", self.network, topic.name()))
    }
}

/// The network that a greeting names, or `None` where it is not a greeting of this version.
pub(super) fn network_of(greeting: &str) -> Option<NetworkId> {
    greeting.strip_prefix(GREETING)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_names_its_network_and_nothing_else_does() {
        let network = NetworkId([0xab; 32]);
        assert_eq!(network_of(&Protocols::new(network).greeting()), Some(network));
        for other in ["", "althing/1/", "althing/2/abab", "ipfs/1.0.0", "althing/1/zz"] {
            assert_eq!(network_of(other), None, "{other}");
        }
    }

    #[test]
    fn names_hold_the_first_sixteen_digits_of_the_network() {
        let protocols = Protocols::new(NetworkId([0xab; 32]));
        assert_eq!(protocols.stream("blobs/1").unwrap().as_ref(), "/althing/abababababababab/blobs/1");
    }
}
