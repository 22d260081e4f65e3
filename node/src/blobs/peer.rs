//! Between a member's key and the name that libp2p gives to it.

use althing_protocol::ids::MemberId;
use libp2p::{
    PeerId,
    identity::{PublicKey, ed25519},
};

/// The peer id of `member`, or none if its bytes are not an ed25519 key.
pub(super) fn peer_of(member: &MemberId) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(member.as_bytes()).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::identity::Keypair;

    #[test]
    fn the_peer_id_is_that_of_the_key() {
        let keypair = Keypair::generate_ed25519();
        let key = keypair.public().try_into_ed25519().unwrap();
        assert_eq!(peer_of(&MemberId(key.to_bytes())), Some(keypair.public().to_peer_id()));
    }
}
