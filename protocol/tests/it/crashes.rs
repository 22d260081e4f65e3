//! A member may stop between any two effects and never says two things for one slot.

use super::network::{Conduct, Disk, Mishaps, Network};

/// The network itself asserts that no two statements are ever published for one slot and that all decide alike.
#[test]
fn crashes_between_any_two_effects_never_lead_to_double_signing() {
    for seed in 0..200 {
        let n = [1, 2, 3, 4, 7][seed as usize % 5];
        let crashes = Mishaps { lost: 10, doubled: 10, delay_ms: 200, crash: 8, crashes: 6, disk: Disk::Keeps };
        Network::new(seed, &vec![Conduct::Honest; n], crashes, 2).run();
    }
}

#[test]
fn crashes_with_a_bad_chair_among_four_never_lead_to_double_signing() {
    for seed in 0..60 {
        let mut conducts = [Conduct::Honest; 4];
        conducts[seed as usize % 4] = Conduct::BuildsBadBodies;
        let crashes = Mishaps { lost: 25, doubled: 0, delay_ms: 300, crash: 10, crashes: 8, disk: Disk::Keeps };
        Network::new(seed, &conducts, crashes, 2).run();
    }
}

#[test]
fn a_member_alone_survives_a_crash_at_every_single_effect() {
    // With certainty of a crash before each effect, a member gets on by one crash less each time.
    for crashes in 0..40 {
        let always = Mishaps { lost: 0, doubled: 0, delay_ms: 0, crash: 100, crashes, disk: Disk::Keeps };
        Network::new(u64::from(crashes), &[Conduct::Honest], always, 2).run();
    }
}

/// Shows that the judge of the tests above is awake: members who lose their log do say two things.
#[test]
#[should_panic(expected = "two statements")]
fn members_who_forget_are_caught() {
    for seed in 0..50 {
        let amnesia = Mishaps { lost: 10, doubled: 0, delay_ms: 200, crash: 20, crashes: 6, disk: Disk::Forgets };
        Network::new(seed, &[Conduct::Honest; 4], amnesia, 2).run();
    }
}
