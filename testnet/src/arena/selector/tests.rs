use std::{collections::BTreeMap, path::Path, sync::OnceLock};

use althing_agents::{rivals::PowerOfChoice, selector::Focus};
use althing_node::learn::data::{self, Dataset, Subset};

use super::*;
use crate::arena::{
    federation::{FederationEnd, play, settle},
    world::{Ground, Scale},
};

fn mnist(subset: Subset, count: u32) -> Dataset {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
    data::load(&folder, subset, &(0..count).collect::<Vec<_>>()).unwrap()
}

/// Eight members with forty examples each, two or more of whom are hired.
fn world(seed: u64) -> World {
    static GROUND: OnceLock<Arc<Ground>> = OnceLock::new();
    let ground = || Arc::new(Ground::new(mnist(Subset::Train, 320), &mnist(Subset::Test, 100)));
    let scale = Scale { members: 8, winners: 4, partition: "dirichlet:1".parse().unwrap() };
    World::new(GROUND.get_or_init(ground).clone(), scale, seed).unwrap()
}

/// Always picks the same.
struct Always(Favour);

impl Contestant<Selection> for Always {
    fn answer(&mut self, _: &Selection) -> Result<Favour, Failure> {
        Ok(self.0.clone())
    }
}

const ALL: Favour = Favour::Entry(SelectorOption { hire: 4, focus: Focus::Even });
const HALF: Favour = Favour::Entry(SelectorOption { hire: 2, focus: Focus::Even });

#[test]
fn every_entry_is_tried_from_the_same_state() {
    let selection = Selection::of(&world(1)).unwrap();
    let values = || -> Vec<f64> {
        let menu = selection.question.menu().iter();
        menu.map(|option| selection.value(&Favour::Entry(*option))).collect()
    };
    let (first, again) = (values(), values());
    selection.trial.check().unwrap();
    assert_eq!(first, again, "trying changes nothing");
    assert!(first.iter().any(|value| *value != first[0]), "and it matters what is tried");
    let fresh = Selection::of(&world(1)).unwrap();
    assert_eq!(fresh.value(&HALF), selection.value(&HALF), "whatever else was tried before");
    let order: Vec<usize> = (0..selection.question.menu().len()).rev().collect();
    assert_eq!(selection.reordered(&order).value(&HALF), selection.value(&HALF));
}

#[test]
fn a_round_pays_what_its_trial_said() {
    let fails = |world: &World| {
        let (hired, delivered) = Selection::of(world).unwrap().outcome(&ALL);
        delivered.len() < hired.len()
    };
    let before = (1..50).map(world).find(fails).unwrap();
    let selection = Selection::of(&before).unwrap();
    let (_, delivered) = selection.outcome(&ALL);
    let score = selection.trial.score(&delivered);
    let mut after = before.clone();
    let mut bytes = 0;
    assert_eq!(settle(&mut after, &selection, &ALL, &mut bytes).unwrap(), score.accuracy);
    assert_eq!(after.judge(after.model()).unwrap(), (score.loss, score.accuracy));
    assert_eq!(bytes, (delivered.len() * 4 * after.model().len()) as u64);
    assert_eq!(selection.trial.score(&[]).loss, selection.trial.loss(), "without an update the model stays as it is");
    let toll = TOLL * delivered.len() as f64 / 4.0;
    assert!(
        (selection.value(&ALL) - (1.0 - score.loss / before.judge(before.model()).unwrap().0 - toll)).abs() < 1e-12
    );
}

#[test]
fn equal_seeds_go_alike_and_fewer_winners_send_less() {
    let go = |seed, favour: &Favour| play(world(seed), 3, &mut Always(favour.clone())).unwrap();
    assert_eq!(go(1, &ALL), go(1, &ALL));
    assert_ne!(go(1, &ALL).points, go(2, &ALL).points);
    let (all, half) = (go(1, &ALL), go(1, &HALF));
    let bytes = |end: &FederationEnd| end.points.last().unwrap().bytes;
    assert!(bytes(&half) < bytes(&all));
    assert!(half.participation < all.participation, "{} and {}", half.participation, all.participation);
    assert!((0.0..=1.0).contains(&all.worst_decile));
}

#[test]
fn the_ledgers_facts_follow_what_happened() {
    let mut world = world(1);
    let (mut hired, mut delivered) = (0, 0);
    for _ in 0..3 {
        let selection = Selection::of(&world).unwrap();
        let (now_hired, now_delivered) = selection.outcome(&ALL);
        (hired, delivered) = (hired + now_hired.len() as u64, delivered + now_delivered.len() as u64);
        settle(&mut world, &selection, &ALL, &mut 0).unwrap();
    }
    let facts = world.everybody();
    assert_eq!(facts.iter().map(|fact| fact.hired).sum::<u64>(), hired);
    assert_eq!(facts.iter().map(|fact| fact.delivered).sum::<u64>(), delivered);
    let bonus: u64 = facts.iter().map(|fact| fact.bonus).sum();
    assert!((9_000..=30_000).contains(&bonus), "{bonus} of three rounds' bonuses");
    assert!(facts.iter().all(|fact| fact.idle_rounds >= 1 && (fact.hired > 0) == (fact.idle_rounds < 4)));
}

#[test]
fn those_who_pick_members_are_checked_like_everybody() {
    let selection = Selection::of(&world(1)).unwrap();
    let mut drafter = Drafter { policy: Box::new(PowerOfChoice::new(1, 8)) };
    let favour = drafter.answer(&selection).unwrap();
    let Favour::Draft(ranking) = &favour else { panic!("{favour:?}") };
    assert!(selection.allows(&favour) && ranking.0.len() == 4);
    let losses: BTreeMap<MemberId, f64> = selection.sights().iter().map(|sight| (sight.member, sight.loss)).collect();
    assert!(ranking.0.windows(2).all(|pair| losses[&pair[0]] >= losses[&pair[1]]));
    let order: Vec<usize> = (0..selection.question.menu().len()).rev().collect();
    assert_eq!(drafter.answer(&selection.reordered(&order)).unwrap(), favour, "the order of members decides nothing");
    let refused = [vec![], vec![MemberId([9; 32])], [&ranking.0[..], &ranking.0[..1]].concat()];
    assert!(refused.into_iter().all(|picked| !selection.allows(&Favour::Draft(Ranking(picked)))));
    let (hired, _) = selection.outcome(&favour);
    assert!(hired.len() <= 4);
}
