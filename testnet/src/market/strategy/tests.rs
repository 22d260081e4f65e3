use althing_agents::{bidder::Margin, orders::Choice};

use super::*;
use crate::market::draw::stream;

const OFFER: Offer = Offer { cost: 100, most: 400, ring_most: 90 };

fn ask(strategy: &Strategy, offer: Offer) -> Option<u64> {
    strategy.behaviour().ask(&offer, &mut stream(1, "test", &[]))
}

#[test]
fn each_strategy_asks_what_its_name_says() {
    let cheap = Offer { cost: 90, ..OFFER };
    let dear = Offer { cost: 401, ..OFFER };
    let table = [
        (Strategy::Truthful, [Some(100), Some(90), None]),
        (Strategy::Shading(Shading::default()), [Some(120), Some(108), None]),
        (Strategy::Inflating(Inflating::default()), [Some(300), Some(270), None]),
        (Strategy::Ring(Ring::default()), [Some(400), Some(90), None]),
        (Strategy::FreeRider(FreeRider::default()), [Some(50), Some(45), Some(201)]),
        (Strategy::Flatterer, [Some(100), Some(90), None]),
        (Strategy::Bandit(Bandit { curious_permille: 0 }), [Some(100), Some(90), None]),
    ];
    for (strategy, wanted) in table {
        assert_eq!([OFFER, cheap, dear].map(|offer| ask(&strategy, offer)), wanted, "{}", strategy.name());
    }
    let random = ask(&Strategy::Random, OFFER).unwrap();
    assert!(random <= OFFER.most);
}

#[test]
fn a_bandit_comes_to_the_margin_that_earns_most() {
    let mut bandit = Bandit::default().learner();
    let mut draws = stream(7, "test", &[]);
    let mut asked = Vec::new();
    for _ in 0..2_000 {
        let price = bandit.ask(&OFFER, &mut draws).unwrap();
        // Whoever asks at most 140 is hired at its price.
        bandit.learn(&OFFER, (price <= 140).then(|| price as i64 - 100));
        asked.push(price);
    }
    let right = asked[1_000..].iter().filter(|price| **price == 140).count();
    assert!(right > 850, "{right} of the last thousand bids ask 140");
}

#[test]
fn who_follows_a_model_bids_by_its_newest_order_and_by_rules_where_that_does_not_fit() {
    let mut member = Advised::default();
    let ask = |member: &mut Advised, offer: &Offer| member.ask(offer, &mut stream(1, "test", &[]));
    let wide = Some(Choice::Margin(Margin::Wide));
    assert_eq!((ask(&mut member, &OFFER), member.is_due(1, 8)), (Some(100), true), "nobody was asked");
    member.hear(1, wide);
    assert_eq!(ask(&mut member, &OFFER), Some(150));
    assert_eq!(ask(&mut member, &Offer { cost: 300, ..OFFER }), Some(300), "450 is more than may be asked");
    assert_eq!(ask(&mut member, &Offer { cost: 401, ..OFFER }), None);
    assert_eq!((member.is_due(8, 8), member.is_due(9, 8)), (false, true));
    member.hear(9, None);
    assert_eq!(ask(&mut member, &OFFER), Some(150), "an older order goes on standing");
    member.hear(10, Some(Choice::Margin(Margin::Slim)));
    assert_eq!(ask(&mut member, &OFFER), Some(110));
    member.is_due(43, 8);
    assert_eq!(ask(&mut member, &OFFER), Some(100), "an order lasts for so long");
}
