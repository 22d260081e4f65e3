use super::*;
use crate::arena::federation::RoundPoint;

fn federation(points: &[(u64, f64)]) -> FederationEnd {
    let points = (1..).zip(points).map(|(round, &(bytes, accuracy))| RoundPoint { round, bytes, accuracy });
    FederationEnd { points: points.collect(), participation: 0.5, worst_decile: 0.25 }
}

fn result(policy: &str, regret: f64, end: FederationEnd) -> PolicyRun {
    let tally = Tally { asked: 4, valid: 3, regret, range: 2.0, latencies: vec![0.001, 0.003], ..Tally::default() };
    PolicyRun { policy: policy.to_owned(), tally, play: Some(Play::Federation(end)) }
}

#[test]
fn federations_are_compared_where_all_had_sent_as_much() {
    let long = federation(&[(10, 0.5), (20, 0.75), (40, 1.0)]);
    assert_eq!(
        [5, 10, 15, 40].map(|bytes| accuracy_at(sent_curve(&long), bytes)),
        [Some(0.5), Some(0.5), Some(0.625), Some(1.0)]
    );
    assert_eq!(accuracy_at(sent_curve(&long), 41), None, "it never sent that much");
    let idle = federation(&[(0, 0.1), (0, 0.1), (8, 0.3)]);
    assert_eq!(accuracy_at(sent_curve(&idle), 4), Some(0.2));
}

#[test]
fn whoever_missed_least_is_best() {
    let run = |seed, first, second| Run {
        seat: Seat::Selector,
        seed,
        results: vec![
            result("bold", first, federation(&[(30, 0.5), (60, 0.75)])),
            result("thrifty", second, federation(&[(10, 0.25), (30, 0.5)])),
        ],
    };
    let runs = [run(1, 1.0, 0.5), run(2, 0.5, 0.5)];
    let seat = SeatSummary::of(Seat::Selector, &runs.iter().collect::<Vec<_>>());
    assert_eq!(seat.equal_bytes, Some(vec![30, 30]));
    assert_eq!(seat.best.as_deref(), Some("thrifty"));
    let bold = &seat.policies[0];
    assert_eq!((bold.asked, bold.valid, bold.regret.unwrap().mean), (8, 0.75, 0.375));
    assert_eq!(bold.accuracy_at_equal_bytes.unwrap().mean, 0.5);
    assert_eq!((bold.final_accuracy.unwrap().mean, bold.megabytes.unwrap().mean), (0.75, 60e-6));
    assert_eq!((bold.latency_ms, bold.work, bold.order_changed), (Some([1.0, 3.0]), None, None));
}

#[test]
fn a_seat_where_nothing_mattered_has_no_regret() {
    let mut none = result("any", 0.0, federation(&[]));
    none.tally.range = 0.0;
    none.play = None;
    let run = Run { seat: Seat::Bidder, seed: 1, results: vec![none] };
    let seat = SeatSummary::of(Seat::Bidder, &[&run]);
    assert_eq!((seat.policies[0].regret, seat.equal_bytes), (None, None));
}

#[test]
fn bidders_are_compared_where_all_had_paid_as_much() {
    let guild = |points: &[(u64, u64, f64)]| {
        let point = |(round, &(paid, value, accuracy))| GuildPoint { round, paid, hired: 2, value, accuracy };
        Play::Guild((1..).zip(points).map(point).collect())
    };
    let result = |policy: &str, play| PolicyRun { play: Some(play), ..result(policy, 1.0, federation(&[])) };
    let results = vec![
        result("dear", guild(&[(40, 100, 0.2), (80, 200, 0.6)])),
        result("cheap", guild(&[(30, 200, 0.4), (60, 300, 0.7)])),
    ];
    let run = Run { seat: Seat::Bidder, seed: 1, results };
    let seat = SeatSummary::of(Seat::Bidder, &[&run]);
    assert_eq!((seat.equal_pay, seat.best_in_all_hands.as_deref()), (Some(vec![60]), Some("cheap")));
    let dear = &seat.policies[0];
    assert!((dear.accuracy_at_equal_pay.unwrap().mean - 0.4).abs() < 1e-9);
    let figures = [dear.hired_per_round, dear.value_per_round, dear.paid_per_round, dear.final_accuracy];
    assert_eq!(figures.map(|figure| figure.unwrap().mean), [2.0, 150.0, 40.0, 0.6]);
}
