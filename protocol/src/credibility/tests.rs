use proptest::prelude::*;

use super::*;
use crate::{
    ids::Round,
    settlement,
    sim::{Rng, Scenario},
    statement::HeldOut,
};

const MEMBERS: usize = 10;
/// What the parts of a round's budget are by default, in thousandths.
const BONUS: f64 = 300.0;
const DELIVERY: f64 = 700.0;

fn ledger() -> (Ledger, Vec<MemberId>) {
    let ledger = Ledger::new(&Scenario::quiet(1, MEMBERS).genesis());
    let members = ledger.accounts.keys().copied().collect();
    (ledger, members)
}

/// An appraisal by a member that does not look at accuracy.
fn appraisal(gains: BTreeMap<MemberId, i64>) -> Appraisal {
    Appraisal {
        round: Round(1),
        gains,
        held_out: HeldOut { samples: 100, accuracy_ppm: 0 },
        arrivals: serde_bytes::ByteBuf::new(),
    }
}

/// A lie: what the member says, of what it has found.
type Lie = fn(place: usize, found: Vec<i64>) -> Vec<i64>;

/// What everybody finds of everybody in a round. Updates differ, and so do the data on which they are judged: what two
/// honest members find lies farther apart than two updates do.
fn found(rng: &mut Rng, round: u64) -> Vec<Vec<i64>> {
    let size = 400_000 / round as i64;
    let mut draw = |most: i64| rng.below(2 * most as u64 + 1) as i64 - most;
    let worth: Vec<i64> = (0..MEMBERS).map(|_| size + draw(size / 2)).collect();
    (0..MEMBERS).map(|_| worth.iter().map(|worth| worth + draw(size)).collect()).collect()
}

/// What each member is paid in thirty rounds in which these lie, in thousandths of a round's budget, by `gains_of`.
fn paid(
    liars: &[usize],
    lie: Lie,
    mut gains_of: impl FnMut(&[MemberId], &BTreeMap<MemberId, Appraisal>) -> BTreeMap<MemberId, i64>,
) -> Vec<f64> {
    let (members, mut rng) = (ledger().1, Rng::new(7));
    let mut paid = vec![0.0; MEMBERS];
    for round in 1..=30 {
        let mut appraisals = BTreeMap::new();
        for (place, found) in found(&mut rng, round).into_iter().enumerate() {
            let said = if liars.contains(&place) { lie(place, found) } else { found };
            let gains = members.iter().copied().zip(said).filter(|(maker, _)| *maker != members[place]).collect();
            appraisals.insert(members[place], appraisal(gains));
        }
        let gains = gains_of(&members, &appraisals);
        let positive = |member| gains[member].max(0) as f64;
        let total: f64 = members.iter().map(positive).sum();
        for (paid, member) in paid.iter_mut().zip(&members) {
            *paid += DELIVERY / MEMBERS as f64 + BONUS * positive(member) / total;
        }
    }
    paid
}

/// The unweighted lower median of what others say, by another road.
fn plain(members: &[MemberId], appraisals: &BTreeMap<MemberId, Appraisal>) -> BTreeMap<MemberId, i64> {
    let gain = |maker: &MemberId| {
        let mut said: Vec<i64> = appraisals.values().filter_map(|one| one.gains.get(maker).copied()).collect();
        said.sort_unstable();
        (*maker, said[(said.len() - 1) / 2])
    };
    members.iter().map(gain).collect()
}

/// Three friends praise each other to the skies and run everybody else down.
fn flatter(_: usize, found: Vec<i64>) -> Vec<i64> {
    (0..found.len()).map(|maker| if maker < 3 { 5_000_000 } else { -5_000_000 }).collect()
}

#[test]
fn flatterers_among_a_third_of_the_appraisers_move_no_honest_pay_by_a_twentieth() {
    let liars = [0, 1, 2];
    let mut judged = ledger().0;
    let mut by_credibility = |liars: &[usize]| {
        let mut ledger = ledger().0;
        let paid = paid(liars, flatter, |members, appraisals| {
            settlement::appraise(&mut ledger, members, appraisals).unwrap().gains
        });
        judged = ledger;
        paid
    };
    let change = |honest: &[f64], lied: &[f64]| {
        let sum = |paid: &[f64]| paid.iter().skip(3).sum::<f64>();
        let each = honest.iter().zip(lied).skip(3).map(|(honest, lied)| (lied / honest - 1.0).abs());
        ((sum(lied) / sum(honest) - 1.0).abs(), each.fold(0.0, f64::max))
    };
    let (together, most) = change(&by_credibility(&[]), &by_credibility(&liars));
    assert!(together <= 0.05 && most <= 0.05, "{together} together, {most} for one");
    let credibility: Vec<u32> = judged.accounts.values().map(|account| account.credibility).collect();
    assert!(credibility[..3].iter().all(|liar| *liar == 0), "{credibility:?}");
    assert!(credibility[3..].iter().all(|honest| *honest > 800), "honest members were doubted: {credibility:?}");
    let (together, _) = change(&paid(&[], flatter, plain), &paid(&liars, flatter, plain));
    assert!(together > 0.05, "a plain median bears it too: {together}");
}

#[test]
fn whoever_copies_an_appraisal_adds_nothing_to_it_and_rises_nowhere() {
    let (mut ledger, members) = ledger();
    let said = |gains: [i64; 3]| appraisal(members.iter().copied().skip(7).zip(gains).collect());
    let mut appraisals: BTreeMap<MemberId, Appraisal> = BTreeMap::new();
    for (member, gains) in members.iter().zip([[10, 20, 30], [11, 22, 31], [12, 21, 33], [13, 23, 34], [14, 24, 35]]) {
        appraisals.insert(*member, said(gains));
    }
    for copier in &members[5..7] {
        appraisals.insert(*copier, said([14, 24, 35]));
    }
    let weights = weights(&appraisals, &ledger);
    assert_eq!(
        members[..7].iter().map(|member| weights[member]).collect::<Vec<_>>(),
        [64_000, 64_000, 64_000, 64_000, 21_333, 21_333, 21_333]
    );
    let gains = settlement::appraise(&mut ledger, &members[7..], &appraisals).unwrap().gains;
    assert_eq!(gains[&members[7]], 12, "three of seven say 14 with one voice");
    assert!(members[4..7].iter().all(|member| ledger.accounts[member].credibility <= 500));
}

#[test]
fn where_nothing_differs_most_members_find_the_same_and_all_of_them_count() {
    let (mut ledger, members) = ledger();
    let said = |place: usize| if place < 3 { [900, -900] } else { [20, 10] };
    let gains = |place| members.iter().copied().skip(8).zip(said(place)).collect();
    let appraisals = (0..8).map(|place| (members[place], appraisal(gains(place)))).collect();
    let gains = settlement::appraise(&mut ledger, &members[8..], &appraisals).unwrap().gains;
    assert_eq!((gains[&members[8]], gains[&members[9]]), (20, 10), "three of eight lie with one voice");
}

#[test]
fn too_few_appraisals_judge_nobody() {
    let (mut ledger, members) = ledger();
    let said =
        [[5, 5], [6, 6], [900, 900]].map(|gains| appraisal(members.iter().copied().skip(8).zip(gains).collect()));
    let appraisals = members.iter().copied().zip(said).collect();
    settlement::appraise(&mut ledger, &members[8..], &appraisals).unwrap();
    assert!(ledger.accounts.values().all(|account| account.credibility == 500));
}

proptest! {
    /// Everybody says what it says as often as it has weight.
    #[test]
    fn a_weighted_median_is_the_lower_one_of_a_crowd(said in prop::collection::vec((-9_i64..9, 1_u128..6), 1..9)) {
        let crowd = said.iter().flat_map(|(value, weight)| std::iter::repeat_n(*value, *weight as usize));
        let mut crowd: Vec<i64> = crowd.collect();
        crowd.sort_unstable();
        prop_assert_eq!(median(said.into_iter()), Some(crowd[(crowd.len() - 1) / 2]));
    }
}

#[test]
fn accuracy_is_the_median_of_those_who_have_data_and_count() {
    let (mut ledger, members) = ledger();
    let said =
        |samples, accuracy_ppm| Appraisal { held_out: HeldOut { samples, accuracy_ppm }, ..appraisal([].into()) };
    let measured = |ledger: &Ledger, said: &[Appraisal]| {
        let said: BTreeMap<MemberId, Appraisal> = members.iter().copied().zip(said.iter().cloned()).collect();
        accuracy_ppm(&said, &weights(&said, ledger))
    };
    assert_eq!(measured(&ledger, &[]), None);
    assert_eq!(measured(&ledger, &[said(0, 0), said(0, 0)]), None, "nobody has data");
    let three = [said(50, 910_000), said(9, 900_000), said(70, 1_000_000), said(0, 0)];
    assert_eq!(measured(&ledger, &three), Some(910_000));
    for _ in 0..10 {
        ledger.doubt(&members[0]).unwrap();
        ledger.doubt(&members[2]).unwrap();
    }
    assert_eq!(measured(&ledger, &three), Some(900_000), "whom nobody believes counts for little");
}
