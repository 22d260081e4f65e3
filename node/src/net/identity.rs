//! Members and libp2p peers are the same keys, written differently.

use althing_protocol::{crypto::Keypair, ids::MemberId};
use libp2p::{PeerId, identity};

use super::NetError;

/// Multihash code of a peer id that holds the key itself, as all ed25519 peer ids do.
const IDENTITY_HASH: u64 = 0;

/// The libp2p peer id of `member`, or `None` where the id is not a key and so nobody can ever connect under it.
pub fn peer_id(member: &MemberId) -> Option<PeerId> {
    let key = identity::ed25519::PublicKey::try_from_bytes(member.as_bytes()).ok()?;
    Some(identity::PublicKey::from(key).to_peer_id())
}

/// The member that `peer` is, or `None` where its key is not an ed25519 key.
pub fn member_id(peer: &PeerId) -> Option<MemberId> {
    let hash = peer.as_ref();
    if hash.code() != IDENTITY_HASH {
        return None;
    }
    let key = identity::PublicKey::try_decode_protobuf(hash.digest()).ok()?;
    Some(MemberId(key.try_into_ed25519().ok()?.to_bytes()))
}

/// `keypair` as libp2p wants it.
pub(super) fn libp2p_keypair(keypair: &Keypair) -> Result<identity::Keypair, NetError> {
    identity::Keypair::ed25519_from_bytes(keypair.secret()).map_err(|error| NetError::Key(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_and_its_peer_are_one_key() {
        let keypair = Keypair::from_secret([7; 32]);
        let peer = libp2p_keypair(&keypair).unwrap().public().to_peer_id();
        assert_eq!(peer_id(&keypair.id()), Some(peer));
        assert_eq!(member_id(&peer), Some(keypair.id()));
    }

    #[test]
    fn bytes_that_are_no_key_are_no_peer() {
        let no_points = (0..=u8::MAX).filter(|first| {
            let mut bytes = [0; 32];
            bytes[0] = *first;
            peer_id(&MemberId(bytes)).is_none()
        });
        assert!(no_points.count() > 50, "about half of all strings are no point of the curve");
    }

    #[test]
    fn a_hashed_peer_id_is_no_member() {
        assert_eq!(member_id(&PeerId::random()), None);
    }
}
