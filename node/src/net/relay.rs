//! What a node relays for members, and how much of it (W23).

use std::{num::NonZeroU32, time::Duration};

use libp2p::{Multiaddr, PeerId, relay};
use tokio::sync::watch;

use super::{config::Admission, identity};

/// Members that may be reachable through this node at once.
const RESERVATIONS_MAX: usize = 128;

/// Circuits that are open at once.
const CIRCUITS_MAX: usize = 256;

/// Circuits to or from one member.
const CIRCUITS_PER_MEMBER: usize = 64;

/// Reservations, and circuits, that one member may ask for at once.
const ASKED_AT_ONCE: NonZeroU32 = NonZeroU32::new(64).expect("above zero");

/// Time in which it may ask for one more.
const ONE_MORE_EVERY: Duration = Duration::from_secs(10);

/// Time after which a circuit is closed. Whoever still needs it opens another, and both ends try anew to meet directly.
const CIRCUIT_LASTS: Duration = Duration::from_secs(30 * 60);

/// Bytes that a circuit carries, both ways: what members say to each other in half an hour, and few models.
const CIRCUIT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Time for which a member may be reachable through this node before it asks again.
const RESERVATION_LASTS: Duration = Duration::from_secs(60 * 60);

/// The relay of node `me`, for those whom `roster` admits.
pub(super) fn serve(me: PeerId, roster: &watch::Receiver<Admission>) -> relay::Behaviour {
    let for_members = || {
        let roster = roster.clone();
        let admits = move |peer: PeerId, _: &Multiaddr, _| {
            identity::member_id(&peer).is_some_and(|member| roster.borrow().admits(&member))
        };
        Box::new(admits)
    };
    let config = relay::Config {
        max_reservations: RESERVATIONS_MAX,
        // A member may notice before this node does that its connection has broken.
        max_reservations_per_peer: 2,
        reservation_duration: RESERVATION_LASTS,
        max_circuits: CIRCUITS_MAX,
        max_circuits_per_peer: CIRCUITS_PER_MEMBER,
        max_circuit_duration: CIRCUIT_LASTS,
        max_circuit_bytes: CIRCUIT_BYTES_MAX,
        reservation_rate_limiters: vec![for_members()],
        circuit_src_rate_limiters: vec![for_members()],
    };
    let config = config
        .reservation_rate_per_peer(ASKED_AT_ONCE, ONE_MORE_EVERY)
        .circuit_src_per_peer(ASKED_AT_ONCE, ONE_MORE_EVERY);
    let mut relay = relay::Behaviour::new(me, config);
    // That it can be dialled from everywhere is its owner's word; there may be nobody to ask.
    relay.set_status(Some(relay::Status::Enable));
    relay
}
