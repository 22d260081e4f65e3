//! Does truth pay? A thousand random markets, in which every bidder tries fifty other prices while the rest stay.

use althing_protocol::{
    ids::{Hash, MemberId},
    market::{Ask, Mechanism, Terms, clear},
    sim::Rng,
};

/// Markets, and other prices that each bidder tries.
const MARKETS: u64 = 1_000;
const OTHER_PRICES: usize = 50;

/// A market. What members ask in it is what delivery costs them.
struct Market {
    asks: Vec<Ask>,
    terms: Terms,
    seed: Hash,
}

/// What trying other prices has shown, in micro-credits over all bidders of all markets.
#[derive(Debug, Default)]
struct Tried {
    /// Bidders that could gain by asking anything but their cost.
    liars: u64,
    /// Bidders that could gain by asking less than their cost.
    under: u64,
    /// The most that one could gain.
    regret: i128,
    bidders: u64,
}

impl Market {
    /// Two to twelve bidders whose costs, values, marks and budget vary: some budgets bind and others do not.
    fn draw(number: u64, mechanism: impl Fn(u64) -> Mechanism) -> Self {
        let mut rng = Rng::new(number);
        let reserve = rng.within(20, 4_000);
        let ask = |n: u64| {
            let value = rng.within(10, 160) * rng.within(50, 200) / 100;
            let price = rng.within(0, reserve * value * 5 / 4);
            Ask { member: MemberId(Hash::of(&n.to_le_bytes()).0), price, value }
        };
        let asks: Vec<Ask> = (0..2 + number % 11).map(ask).collect();
        let worth: u64 = asks.iter().map(|ask| ask.value * reserve).sum();
        let terms = Terms::new(mechanism(reserve), rng.within(worth / 20, worth), reserve, rng.within(1, 6) as usize);
        let terms = if rng.chance(250) { terms.capped(rng.within(0, worth / 4)) } else { terms };
        Self { asks, terms, seed: Hash::of(&number.to_be_bytes()) }
    }

    /// What a member gains that is paid so, if it asks `price` where delivery costs it `cost`.
    fn gain(&self, place: usize, price: u64) -> i128 {
        let mut asks = self.asks.clone();
        asks[place].price = price;
        let cleared = clear(&asks, self.terms, &self.seed);
        let win = cleared.wins.iter().find(|win| win.member == asks[place].member);
        win.map_or(0, |win| i128::from(win.payment) - i128::from(self.asks[place].price))
    }

    /// Prices about what the member would be paid and about what others ask, where something may change, and others.
    fn other_prices(&self, place: usize, rng: &mut Rng) -> Vec<u64> {
        let own = self.asks[place];
        let most = self.terms.reserve * own.value;
        // Where the payment does not depend on the price, who asks nothing is paid the price at which it would still win.
        let critical = self.gain(place, 0).max(0) as u64 + own.price;
        let at_rivals = self.asks.iter().map(|rival| rival.price * own.value / rival.value);
        let steps = [critical, own.price, most]
            .into_iter()
            .chain(at_rivals)
            .flat_map(|price| [price.saturating_sub(1), price, price + 1]);
        let mut prices: Vec<u64> = steps.take(OTHER_PRICES).collect();
        while prices.len() < OTHER_PRICES {
            prices.push(rng.below(most * 3 / 2));
        }
        prices
    }

    /// No winner is paid less than it asks, nor all together more than the budget.
    fn assert_fair(&self) {
        let cleared = clear(&self.asks, self.terms, &self.seed);
        let paid: u64 = cleared.wins.iter().map(|win| win.payment).sum();
        assert!(paid <= self.terms.budget, "{paid} of {:?}", self.terms);
        for win in &cleared.wins {
            let ask = self.asks.iter().find(|ask| ask.member == win.member).expect("winners have asked");
            assert!(win.payment >= ask.price && win.payment <= self.terms.cap, "{win:?} for {ask:?}");
        }
    }
}

/// Lets every bidder of a thousand markets try other prices.
fn try_other_prices(mechanism: impl Fn(u64) -> Mechanism) -> Tried {
    let mut tried = Tried::default();
    for number in 0..MARKETS {
        let market = Market::draw(number, &mechanism);
        market.assert_fair();
        let mut rng = Rng::new(!number);
        for (place, ask) in market.asks.iter().enumerate() {
            let honest = market.gain(place, ask.price);
            assert!(honest >= 0, "truth has cost {ask:?} something");
            let others = market.other_prices(place, &mut rng);
            let gains = others.into_iter().map(|price| (market.gain(place, price) - honest, price));
            let better: Vec<_> = gains.filter(|(more, _)| *more > 0).collect();
            tried.bidders += 1;
            tried.liars += u64::from(!better.is_empty());
            tried.under += u64::from(better.iter().any(|(_, price)| *price < ask.price));
            tried.regret = better.iter().map(|(more, _)| *more).max().unwrap_or(0).max(tried.regret);
        }
    }
    tried
}

#[test]
fn nobody_gains_by_lying_to_a_truthful_mechanism() {
    let truthful: [fn(u64) -> Mechanism; 4] = [
        |_| Mechanism::Critical,
        |_| Mechanism::Vcg,
        |reserve| Mechanism::Posted { per_value: reserve / 2 },
        |_| Mechanism::Fixed,
    ];
    for mechanism in truthful {
        let tried = try_other_prices(mechanism);
        println!("{}: {tried:?}", mechanism(2));
        assert_eq!((tried.liars, tried.regret), (0, 0), "{}: {tried:?}", mechanism(2));
        assert!(tried.bidders > 5_000, "{tried:?}");
    }
}

#[test]
fn asking_more_than_it_costs_pays_under_first_price() {
    let tried = try_other_prices(|_| Mechanism::FirstPrice);
    println!("first-price: {tried:?}");
    // Every winner could have asked a little more, except where it stood at the edge already.
    assert!(tried.liars * 4 > tried.bidders && tried.regret > 0, "{tried:?}");
    assert_eq!(tried.under, 0, "asking less than one's cost never pays: {tried:?}");
}
