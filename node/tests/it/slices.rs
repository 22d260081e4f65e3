//! Members that train slices and send the largest changes only.

use althing_node::genesis_file::{coding, offering};
use althing_protocol::{event::Event, model::Width, update::Codec};

use crate::harness::{Federation, one_history};

#[test]
fn coded_updates_of_slices_settle_one_history() {
    let codec = Codec::TopK { permille: 50 };
    let amend = |genesis: &mut althing_protocol::genesis::Genesis| {
        *genesis = coding(offering(genesis.clone(), &[Width::Half]), codec);
    };
    let mut village = Federation::found(&[1; 3], amend).start();
    village.agree_on(&[0, 1, 2], 3);
    village.stop_all();
    one_history(&[0, 1, 2].map(|place| village.ledger(place)));

    let tensors = &village.genesis.task.tensors;
    let sizes = codec.sizes(tensors.parameters_at(Width::Half).unwrap());
    let told: Vec<Event> = village.seats.iter_mut().flat_map(|seat| seat.told().to_vec()).collect();
    let updates: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            Event::Trained { update, .. } => Some(update.size),
            _ => None,
        })
        .collect();
    assert!(updates.len() >= 3 && updates.iter().all(|size| sizes.contains(size)), "{updates:?} not in {sizes:?}");
    assert!(!told.iter().any(|event| matches!(event, Event::Misbehaved { .. })), "nobody's update was faulty");
    let settled: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            Event::Settled { model, updates, .. } => Some((*model, *updates)),
            _ => None,
        })
        .collect();
    assert!(settled.iter().any(|(model, updates)| *updates >= 2 && *model != village.genesis.task.initial_model));
    let left_out = village.seats.iter().filter(|seat| seat.dir.join("data/left-out.f32").exists()).count();
    assert!(left_out >= 2, "{left_out} members keep what they left out");
}
