//! Members agree, whatever the network does to their messages and whoever is missing.

use althing_protocol::{
    consensus::{Message, ValidatorSet},
    ids::Height,
};

use super::network::{Conduct, Disk, Mishaps, NETWORK, Network, number, validators};

const CALM: Mishaps = Mishaps { lost: 0, doubled: 0, delay_ms: 10, crash: 0, crashes: 0, disk: Disk::Keeps };
const ROUGH: Mishaps = Mishaps { lost: 20, doubled: 20, delay_ms: 400, ..CALM };

/// All honest, but for those who chair the first `bad` rounds of the first height.
fn with_bad_chairs(n: usize, bad: usize, conduct: Conduct) -> Vec<Conduct> {
    let set: ValidatorSet = validators(n, Height(1));
    let mut conducts = vec![Conduct::Honest; n];
    for &chair in &set.order()[..bad] {
        conducts[number(n, chair)] = conduct;
    }
    conducts
}

#[test]
fn any_number_of_members_decides_in_the_first_round_when_all_is_well() {
    for n in [1, 2, 3, 4, 7] {
        let network = Network::new(1, &vec![Conduct::Honest; n], CALM, 3).run();
        for height in 1..=3 {
            assert_eq!(network.decision(height).round, 0, "n = {n}");
        }
        assert!(network.now_ms < 500, "n = {n} took {} ms", network.now_ms);
        assert!(network.nodes.iter().all(|node| node.evidence.is_empty()));
    }
}

#[test]
fn loss_repetition_and_disorder_only_cost_time() {
    for n in [1, 2, 3, 4, 7] {
        for seed in 0..40 {
            Network::new(seed, &vec![Conduct::Honest; n], ROUGH, 3).run();
        }
    }
}

#[test]
fn the_next_chair_decides_when_the_first_is_silent() {
    let network = Network::new(2, &with_bad_chairs(4, 1, Conduct::Absent), CALM, 1).run();
    assert_eq!(network.decision(1).round, 1);
    let set = validators(4, Height(1));
    let proposers: Vec<_> = network
        .published
        .iter()
        .filter_map(|message| if let Message::Proposal(proposal) = message { Some(proposal.signer) } else { None })
        .collect();
    assert_eq!(proposers, [set.proposer(1)]);
}

#[test]
fn two_silent_chairs_of_seven_cost_two_rounds() {
    let network = Network::new(3, &with_bad_chairs(7, 2, Conduct::Absent), CALM, 1).run();
    assert_eq!(network.decision(1).round, 2);
}

#[test]
fn a_bad_body_is_voted_down_and_the_next_chair_decides() {
    for seed in 0..20 {
        let network = Network::new(seed, &with_bad_chairs(4, 1, Conduct::BuildsBadBodies), CALM, 1).run();
        assert_eq!(network.decision(1).round, 1);
        // Nobody had to wait for the proposer's time to run out.
        assert!(network.now_ms < 900, "{} ms", network.now_ms);
    }
}

#[test]
fn one_absent_member_of_four_does_not_stop_a_rough_network() {
    for seed in 0..40 {
        let mut conducts = [Conduct::Honest; 4];
        conducts[seed as usize % 4] = Conduct::Absent;
        Network::new(seed, &conducts, ROUGH, 3).run();
    }
}

#[test]
fn one_who_signs_anything_cannot_split_or_stop_the_others() {
    for n in [4, 7] {
        for seed in 0..14 {
            let mut conducts = vec![Conduct::Honest; n];
            conducts[seed as usize % n] = Conduct::Babbles;
            Network::new(seed, &conducts, ROUGH, 2).run();
        }
    }
}

#[test]
fn below_two_thirds_members_wait_where_they_are_until_others_return() {
    for seed in 0..10 {
        let conducts = [Conduct::Honest, Conduct::Absent, Conduct::Honest, Conduct::Absent];
        let mut network = Network::new(seed, &conducts, CALM, 2);
        network.run_for(120_000);
        assert!(network.nodes.iter().all(|node| node.decided.is_empty()));
        assert_eq!(network.rounds(), [Some(0), Some(0)], "rounds do not run away");
        network.join(1);
        network.join(3);
        network.run();
    }
}

#[test]
fn the_same_seed_makes_the_same_history() {
    let history = || Network::new(9, &[Conduct::Honest; 4], ROUGH, 3).run().published;
    assert_eq!(history(), history());
}

#[test]
fn a_chair_who_says_two_things_is_exposed_and_cannot_split_the_others() {
    for n in [4, 7] {
        for seed in 0..20 {
            let network = Network::new(seed, &with_bad_chairs(n, 1, Conduct::SaysTwoThings), CALM, 1).run();
            let set = validators(n, Height(1));
            let found: Vec<_> = network.nodes.iter().flat_map(|node| &node.evidence).collect();
            assert!(!found.is_empty(), "n = {n}, seed {seed}");
            for proof in found {
                assert_eq!(proof.member(), set.proposer(0));
                proof.verify(&NETWORK, &set).unwrap();
            }
        }
    }
}
