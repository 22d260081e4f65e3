//! Federations without rounds, and with rounds that cannot be decided: members learn on all the same.

use std::{collections::BTreeMap, fs, io::Write};

use althing_protocol::{
    event::Event,
    genesis::{Bounds, Genesis},
    ids::{BlobRef, Step},
};

use crate::harness::{Federation, Seat};

fn step_quickly(genesis: &mut Genesis) {
    genesis.exchange.listen = Bounds { min_ms: 50, max_ms: 2_000 };
    genesis.exchange.halted_after_ms = 1_000;
}

/// Waits until `seat` has ended so many more steps and has averaged with others meanwhile.
fn wait_steps(seat: &mut Seat, more: usize) -> Step {
    let mut accepted_any = 0;
    for ended in 0.. {
        let (step, accepted) = seat.wait("that a step ends", |event| match event {
            Event::Stepped { step, accepted, .. } => Some((*step, *accepted)),
            _ => None,
        });
        accepted_any += accepted;
        if ended >= more && accepted_any > 0 {
            return step;
        }
    }
    unreachable!("steps end for ever")
}

/// Steps that `seat` has told of, in all its lives, in their order.
fn steps(seat: &mut Seat) -> Vec<(Step, BlobRef)> {
    let stepped = |event: &Event| match event {
        Event::Stepped { step, model, .. } => Some((*step, *model)),
        _ => None,
    };
    seat.told().iter().filter_map(stepped).collect()
}

#[test]
fn members_of_an_epidemic_federation_die_come_back_and_never_take_a_step_twice() {
    let mut village = Federation::found(&[1; 4], |genesis| {
        step_quickly(genesis);
        genesis.exchange.topology = "epidemic:2".parse().unwrap();
    })
    .start();
    for place in 0..4 {
        wait_steps(&mut village.seats[place], 1);
    }
    for victim in [1, 3, 1] {
        village.seats[victim].kill();
        let others: Vec<usize> = (0..4).filter(|place| *place != victim).collect();
        for place in others {
            wait_steps(&mut village.seats[place], 1);
        }
        village.launch(victim);
        wait_steps(&mut village.seats[victim], 1);
    }
    let status = village.answer(1, &["status", "--config", "node.toml"]);
    assert!(status["exchange"]["ended"].as_u64().unwrap() >= 2, "{status}");
    assert!(status["exchange"]["accepted"].as_u64().unwrap() >= 1, "{status}");
    village.stop_all();
    let own = village.answer(2, &["model", "show", "--config", "node.toml"]);
    let last = steps(&mut village.seats[2]).last().unwrap().1;
    assert!(own.to_string().contains(&last.hash.to_string()), "it shows the member's own model: {own}");
    for seat in &mut village.seats {
        let taken = steps(seat);
        assert!(taken.is_sorted_by(|(a, _), (b, _)| a < b), "{}: {taken:?}", seat.name);
        let accused = seat.told().iter().any(|event| matches!(event, Event::Misbehaved { .. }));
        assert!(!accused, "nobody has offered two models for one step");
        let held = fs::read_dir(seat.dir.join("data/blobs")).unwrap().count();
        // A blob and its tree each: at most the first model, what it sent and what came last.
        assert!(held < 40, "{} keeps {held} files", seat.name);
    }
}

#[test]
fn members_of_a_halted_federation_learn_on_and_bring_it_back() {
    let village = Federation::found(&[1; 4], step_quickly);
    for seat in &village.seats[..2] {
        let mut config = fs::OpenOptions::new().append(true).open(seat.dir.join("node.toml")).unwrap();
        config.write_all(b"[exchange]\ncontinue_when_halted = true\n").unwrap();
    }
    let mut village = village.start();
    village.agree_on(&[0, 1, 2, 3], 1);
    village.seats[2].kill();
    village.seats[3].kill();
    let begun = |seat: &mut Seat| seat.wait_any("steps begin", |event| matches!(event, Event::ExchangeBegun { .. }));
    for place in [0, 1] {
        begun(&mut village.seats[place]);
        wait_steps(&mut village.seats[place], 2);
    }
    let halted_at = village.seats[0].settled();
    village.launch(2);
    village.launch(3);
    for place in [0, 1] {
        let ended = |event: &Event| matches!(event, Event::ExchangeEnded { .. });
        village.seats[place].wait_any("that steps end", ended);
    }
    village.agree_on(&[0, 1, 2, 3], halted_at + 2);
    village.stop_all();
    let taken: BTreeMap<usize, usize> = (0..4).map(|place| (place, steps(&mut village.seats[place]).len())).collect();
    assert!(taken[&0] > 2 && taken[&1] > 2 && taken[&2] + taken[&3] == 0, "{taken:?}");
}
