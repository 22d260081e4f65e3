//! Each rival does what its authors say, and none cares for the order of a menu.

use std::{collections::BTreeSet, time::Duration};

use althing_protocol::{
    ids::{MemberId, Round},
    machine::{Candidate, MarksQuestion},
    statement::Marks,
};

use super::{draft::LastTraining, *};
use crate::{
    bidder::{BidOption, Cheapest, Margin, Offer},
    guardian::{Capacity, Machine, Means, Stint},
    policy::{Reorder, ask},
    privacy::{Budget, Plan, Training},
    selector::{Focus, SelectorOption},
};

fn member(n: u8) -> MemberId {
    MemberId([n; 32])
}

fn selection() -> SelectorQuestion {
    let candidate = |n: u8| Candidate {
        member: member(n),
        reputation: 500,
        idle_rounds: n.into(),
        hired: (n % 5).into(),
        delivered: (n % 3).into(),
        bonus: 100 * u64::from(n),
    };
    SelectorQuestion::new(MarksQuestion {
        round: Round(3),
        max_winners: 8,
        candidates: (1..=12).map(candidate).collect(),
    })
}

fn auction(reserve_price: u64) -> BidderQuestion {
    let offer = |place, value, cost| Offer { place, samples: 100, value, cost };
    BidderQuestion::new(vec![offer(0, 100, 1_000), offer(1, 190, 2_000), offer(2, 30, 200)], reserve_price, 500, 2)
}

fn stints() -> GuardianQuestion {
    let contract =
        |epochs, width, value| althing_protocol::genesis::Contract { name: "c".into(), epochs, width, value };
    use althing_protocol::model::Width::{Full, Half, Quarter};
    let menu = [contract(1, Full, 100), contract(2, Half, 90), contract(1, Quarter, 20)];
    let capacity = Capacity {
        samples: 100,
        deadline: Duration::from_secs(10),
        machine: Machine { cores: 2, free_memory_bytes: u64::MAX, load_permille: 300 },
        max_load_permille: None,
        needs: [].into(),
    };
    GuardianQuestion::new(capacity, &menu, Means::Unlimited)
}

const ANY: SelectorOption = SelectorOption { hire: 1, focus: Focus::Even };

#[test]
fn the_order_of_the_menu_decides_nothing() {
    fn same<Q: Reorder>(rival: &mut dyn Rival<Q>, question: &Q, who: &str)
    where
        Q::Option: std::fmt::Debug,
    {
        let order: Vec<usize> = (0..question.menu().len()).rev().collect();
        let backwards = question.reordered(&order);
        assert_ne!(question.menu(), backwards.menu());
        for round in 0..20 {
            let pick = rival.decide(question);
            assert_eq!(pick, rival.decide(&backwards), "{who} in round {round}");
            assert!(question.menu().contains(&pick.option), "{who}");
            rival.learn(question, pick.option, f64::from(round % 3));
        }
    }
    let (selection, auction, stints) = (selection(), auction(20), stints());
    same(&mut Coverage, &selection, "rules");
    same(&mut Random::new(1, ANY), &selection, "random");
    same(&mut LinUcb::new(0.5, ANY), &selection, "linucb");
    same(&mut FixedNumber { hire: 5 }, &selection, "fixed number");
    same(&mut Decaying::new(8, 0.1), &selection, "decaying");
    same(&mut Cheapest, &auction, "rules");
    same(&mut Random::new(1, BidOption::Pass), &auction, "random");
    same(&mut Fixed::new(|_| 0, BidOption::Pass), &auction, "fixed");
    same(&mut Surplus, &auction, "surplus");
    same(&mut GoingRate, &auction.clone().priced(Some(12)), "going rate");
    same(&mut LinUcb::new(0.5, BidOption::Pass), &auction, "linucb");
    same(&mut WhatFits, &stints, "rules");
    same(&mut LinUcb::new(0.5, Stint::Rest), &stints, "linucb");
    let plan = Plan::new(32, 320, 10).unwrap();
    let filter = plan.open(Budget::new(2.0, 1e-5).unwrap(), 1).unwrap();
    let paces = PaceQuestion::new(&plan, &filter, &Training::of(Round(1), 1));
    same(&mut Evenly, &paces, "rules");
    same(&mut LinUcb::new(0.5, paces.menu()[0]), &paces, "linucb");
}

#[test]
fn random_gets_around_the_whole_menu() {
    let question = selection();
    let mut random = Random::new(7, ANY);
    let picks: BTreeSet<SelectorOption> = (0..200)
        .map(|_| {
            let pick = ask(&mut random, &question).unwrap().option;
            random.learn(&question, pick, 0.0);
            pick
        })
        .collect();
    assert_eq!(picks.len(), question.menu().len());
}

#[test]
fn fixed_goes_by_its_preference_and_by_nothing_else() {
    let dear = |option: &BidOption| match option {
        BidOption::Ask(1, Margin::Wide) => 0,
        BidOption::Ask(0, Margin::Fair) => 1,
        BidOption::Pass => 2,
        BidOption::Ask(..) => 3,
    };
    let mut fixed = Fixed::new(dear, BidOption::Pass);
    let picks = [20, 13, 5].map(|reserve| fixed.decide(&auction(reserve)).option);
    assert_eq!(picks, [BidOption::Ask(1, Margin::Wide), BidOption::Ask(0, Margin::Fair), BidOption::Pass]);
}

#[test]
fn surplus_asks_the_cost_of_the_contract_that_can_earn_most() {
    let picks = [20, 11, 9, 5].map(|reserve| Surplus.decide(&auction(reserve)).option);
    let ask = |place| BidOption::Ask(place, Margin::None);
    // At 20 there remain 1,000, 1,800 and 400; at 11 100, 90 and 130.
    assert_eq!(picks, [ask(1), ask(2), ask(2), BidOption::Pass]);
}

#[test]
fn the_going_rate_asks_for_what_earns_most_at_it() {
    let ask = |place| BidOption::Ask(place, Margin::None);
    let picks = [Some(20), Some(11), Some(6), None].map(|rate| GoingRate.decide(&auction(20).priced(rate)).option);
    // At 20 there remain 1,000, 1,800 and 400; at 11 100, 90 and 130; at 6 and without a rate the cheapest unit is asked.
    assert_eq!(picks, [ask(1), ask(2), ask(2), ask(2)]);
    assert_eq!(GoingRate.decide(&auction(5).priced(Some(20))).option, BidOption::Pass, "no price is on the menu");
}

#[test]
fn numbers_are_the_nearest_of_the_menu() {
    let question = selection();
    let numbers = [0, 5, 6, 100].map(|hire| FixedNumber { hire }.decide(&question).option.hire);
    assert_eq!(numbers, [4, 6, 6, 8], "of 4, 6 and 8");
    let mut decaying = Decaying::new(8, 0.1);
    let numbers: Vec<u32> = (0..6)
        .map(|_| {
            let pick = decaying.decide(&question).option;
            decaying.learn(&question, pick, 0.0);
            pick.hire
        })
        .collect();
    // 8, 7.2, 6.48, 5.83, 5.25, 4.72
    assert_eq!(numbers, [8, 8, 6, 6, 6, 4]);
}

#[test]
fn the_bandit_learns_which_entry_pays() {
    let question = selection();
    let paying = SelectorOption { hire: 6, focus: Focus::Thrift };
    let reward = |pick: SelectorOption| if pick.focus == paying.focus { 1.0 } else { 0.2 };
    let mut bandit = LinUcb::new(0.3, ANY);
    let picks: Vec<SelectorOption> = (0..60)
        .map(|_| {
            let pick = bandit.decide(&question).option;
            bandit.learn(&question, pick, reward(pick));
            pick
        })
        .collect();
    let tried: BTreeSet<Focus> = picks.iter().map(|pick| pick.focus).collect();
    assert!(tried.len() > 2, "it tries others first");
    assert!(picks[40..].iter().all(|pick| pick.focus == paying.focus), "{picks:?}");
    bandit.learn(&question, paying, f64::NAN);
    assert_eq!(bandit.decide(&question).option.focus, paying.focus, "a reward that is no number teaches nothing");
}

/// Twelve members: the higher the number, the higher the loss.
fn sights(last: impl Fn(u8) -> Option<LastTraining>) -> Vec<Sight> {
    let sight = |n: u8| Sight { member: member(n), samples: 100, loss: f64::from(n), last: last(n) };
    (1..=12).map(sight).collect()
}

fn trained(round: u64, loss: f64, seconds: u64) -> Option<LastTraining> {
    Some(LastTraining { round: Round(round), loss, duration: Duration::from_secs(seconds) })
}

fn numbers(ranking: &Ranking) -> Vec<u8> {
    ranking.0.iter().map(|member| member.0[0]).collect()
}

#[test]
fn power_of_choice_takes_the_highest_losses_of_those_it_asked() {
    let draft = |asked, round| {
        let mut policy = PowerOfChoice::new(3, asked);
        numbers(&Ranking::draft(&mut policy, Round(round), 3, sights(|_| None)))
    };
    assert_eq!(draft(12, 1), [12, 11, 10], "whoever asks all takes the highest");
    let some: BTreeSet<Vec<u8>> = (1..=30).map(|round| draft(6, round)).collect();
    assert!(some.len() > 10 && some.iter().all(|picked| picked.is_sorted_by(|a, b| a > b)), "{some:?}");
    assert_eq!(draft(1, 1).len(), 3, "it asks no fewer than it picks");
}

#[test]
fn those_with_more_examples_are_asked_more_often() {
    let mut sights = sights(|_| None);
    sights.iter_mut().filter(|sight| sight.member.0[0] > 6).for_each(|sight| sight.samples = 10);
    let mut policy = PowerOfChoice::new(3, 2);
    let picked = (1..=200).flat_map(|round| numbers(&Ranking::draft(&mut policy, Round(round), 2, sights.clone())));
    let of_many = picked.filter(|n| *n <= 6).count();
    assert!((300..400).contains(&of_many), "{of_many} of 400, where 364 are due for the first of two");
}

#[test]
fn oort_takes_what_taught_most_per_time_and_tries_the_unknown() {
    let draft = |round, last: fn(u8) -> Option<LastTraining>| {
        let mut oort = Oort::new(3, Duration::from_secs(10));
        numbers(&Ranking::draft(&mut oort, Round(round), 5, sights(last)))
    };
    let all_known = draft(100, |n| trained(99, f64::from(n), 5));
    assert_eq!(all_known.iter().collect::<BTreeSet<_>>(), [8, 9, 10, 11, 12].iter().collect());
    let backwards = {
        let mut sights = sights(|n| trained(99, f64::from(n), 5));
        sights.reverse();
        numbers(&Ranking::draft(&mut Oort::new(3, Duration::from_secs(10)), Round(100), 5, sights))
    };
    assert_eq!(backwards, all_known, "the order of the members decides nothing");
    // Twelve is four times too slow, which is a sixteenth of its utility; eleven just in time.
    let slow = draft(100, |n| trained(99, f64::from(n), if n == 12 { 40 } else { 10 }));
    assert!(!slow.contains(&12) && slow.contains(&11), "{slow:?}");
    // In the first round nine tenths go to the unknown, later a fifth: four and one of five.
    let unknown =
        |round| draft(round, |n| if n > 6 { None } else { trained(1, 1.0, 1) }).iter().filter(|n| **n > 6).count();
    assert_eq!([unknown(1), unknown(100)], [4, 1]);
}

#[test]
fn a_draft_weighs_as_a_focus_may_and_overrules_who_picks_from_nowhere() {
    struct Stranger;
    impl Policy<DraftQuestion> for Stranger {
        fn decide(&mut self, _: &DraftQuestion) -> crate::policy::Pick<MemberId> {
            crate::policy::Pick { option: member(99), by: althing_protocol::event::DecidedBy::Model }
        }
    }
    let ranking = Ranking::draft(&mut Stranger, Round(1), 2, sights(|_| None));
    assert_eq!(numbers(&ranking), [1, 2], "the menu's first, and nobody twice");
    let weights = ranking.weights((1..=3).map(member)).into_values().collect::<Vec<_>>();
    assert_eq!(weights, [Marks::MOST, Marks::MOST, Marks::LEAST]);
    assert_eq!(Ranking::draft(&mut Stranger, Round(1), 99, sights(|_| None)).0.len(), 12);
    assert_eq!(Ranking::draft(&mut Stranger, Round(1), 2, Vec::new()), Ranking::default());
}
