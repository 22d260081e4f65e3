//! Peers that do not play by the rules of the library.

use libp2p::{
    Swarm,
    futures::StreamExt,
    gossipsub::{self, MessageAuthenticity, ValidationMode},
    identity::Keypair,
    metrics::Registry,
    swarm::{self, SwarmEvent},
};

use tokio::sync::watch;

use super::{
    super::{
        behaviour::Behaviour, behaviour::BehaviourEvent, behaviour::Shared, identity::libp2p_keypair,
        protocols::Protocols,
    },
    *,
};

/// A swarm with `behaviour` that speaks for `number`.
fn swarm(number: u8, behaviour: Behaviour) -> Swarm<Behaviour> {
    let key = libp2p_keypair(&keypair(number)).unwrap();
    let transport = transport::build(&key, &mut Registry::default(), (Relay::Off, None)).unwrap().0;
    let settings = swarm::Config::with_tokio_executor().with_idle_connection_timeout(PATIENCE);
    Swarm::new(transport, behaviour, key.public().to_peer_id(), settings)
}

/// What a node of ours does.
fn behaviour(key: &Keypair, protocols: &Protocols) -> Behaviour {
    let (_, roster) = watch::channel(Admission::Anyone);
    Behaviour::new(key, protocols, &config(&[]), Shared { through_relays: None, roster }).unwrap()
}

/// A node of ours whose gossip claims that `author` wrote what it publishes, without a signature.
fn forger(number: u8, author: MemberId) -> Swarm<Behaviour> {
    let (key, protocols) = (libp2p_keypair(&keypair(number)).unwrap(), Protocols::new(NETWORK));
    let mut behaviour = behaviour(&key, &protocols);
    let lax = gossipsub::ConfigBuilder::default()
        .protocol_id_prefix(protocols.gossip_prefix())
        .validation_mode(ValidationMode::Permissive)
        .build()
        .unwrap();
    let topics = Topic::ALL.map(|topic| protocols.topic(topic));
    let filter = gossipsub::WhitelistSubscriptionFilter(topics.iter().map(|topic| topic.hash()).collect());
    let claim = MessageAuthenticity::Author(peer_id(&author).unwrap());
    behaviour.gossip = gossip::Gossip::new_with_subscription_filter(claim, lax, filter).unwrap();
    topics.iter().for_each(|topic| {
        behaviour.gossip.subscribe(topic).unwrap();
    });
    swarm(number, behaviour)
}

/// A peer that has joined, and reads nothing more, is cut off before its connection counts as dead; nobody else waits.
#[tokio::test]
async fn a_peer_that_reads_nothing_is_cut_off() {
    let (mut left, mut honest) = pair().await;
    let (key, protocols) = (libp2p_keypair(&keypair(3)).unwrap(), Protocols::new(NETWORK));
    let mut deaf = swarm(3, behaviour(&key, &protocols));
    deaf.dial(left.net.listen_addrs().await.remove(0)).unwrap();
    let up = async {
        tokio::select! {
            () = left.until_up(member(3)) => {}
            () = async { while deaf.next().await.is_some() {} } => {}
        }
    };
    up.await;
    let publisher = left.net.clone();
    let talk = tokio::spawn(async move {
        loop {
            publisher.publish(Topic::Bodies, vec![7; 64 * 1024]).await;
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
    });
    let began = std::time::Instant::now();
    left.until_down(member(3)).await;
    println!("cut off after {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(honest.message().await.0, left.me);
    talk.abort();
    drop(deaf);
}

/// A thousand forged messages come over a real connection; none is heard, and a true one afterwards is.
#[tokio::test]
async fn forged_messages_are_never_heard() {
    let (mut left, honest) = pair().await;
    let address = left.net.listen_addrs().await.remove(0);
    let mut forger = forger(3, honest.me);
    forger.dial(address).unwrap();
    let topic = Protocols::new(NETWORK).topic(Topic::Consensus);
    let published = async {
        while !matches!(
            forger.select_next_some().await,
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Subscribed { .. }))
        ) {}
        for number in 0..1_000_u32 {
            forger.behaviour_mut().gossip.publish(topic.clone(), number.to_be_bytes().to_vec()).unwrap();
            if number % 50 == 0 {
                let _ = timeout(Duration::from_millis(1), forger.next()).await;
            }
        }
    };
    patiently(published).await;
    tokio::spawn(async move { while forger.next().await.is_some() {} });
    let before = left.net.stats().await.bytes_in;
    patiently(async { while left.net.stats().await.bytes_in < before.max(50_000) {} }).await;

    honest.net.publish(Topic::Consensus, b"true".to_vec()).await;
    let (author, _, bytes) = left.message().await;
    assert_eq!((author, bytes.as_slice()), (honest.me, &b"true"[..]));
    assert_eq!(left.net.stats().await.gossip_in, 1);
}
