//! Everybody who may decide in a node, before the same questions: rules, rivals, and whoever else is entered.
//!
//! Each seat has seeded contexts of which it is known what every entry of the menu is worth: auctions cleared by the
//! protocol's market ([`bidder`]), a federation that trains really ([`world`], [`selector`]), a privacy budget on a machine
//! under load ([`shift`], [`guardian`]). Everybody is asked in the same contexts, and asked again with the menu in another
//! order. Everybody then gets rounds of its own: bidders a federation in which all bid alike ([`guild`]).
//!
//! A language model takes part if it is invited ([`invite`]). To enter somebody else, implement [`Entrant`] and hand it to
//! [`run`].

mod archive;
mod bidder;
mod contest;
pub mod contestant;
mod dice;
mod error;
mod federation;
mod field;
mod files;
mod guardian;
mod guild;
mod model;
mod options;
mod picture;
mod progress;
mod scored;
mod seat;
mod selector;
mod shift;
mod stats;
mod summary;
mod table;
mod tally;
mod topical;
mod trial;
mod usage;
mod world;

use std::{sync::Arc, time::Instant};

use althing_node::learn::data::{self, Subset};

use self::{
    archive::{Archive, PolicyRun},
    contest::{Manner, Seated},
    contestant::{Contestant, Context},
    guardian::Hand,
    guild::Guild,
    progress::Progress,
    world::{Ground, World},
};
pub use self::{
    archive::{Play, Run},
    error::Error,
    federation::{FederationEnd, RoundPoint},
    field::{BuiltIn, Entrant, Model},
    guild::GuildPoint,
    model::{ModelOptions, invite},
    options::{AgentsOptions, Setting},
    scored::Scored,
    seat::Seat,
    selector::{Favour, Selection},
    stats::Estimate,
    summary::{PolicySummary, SeatSummary, Summary},
    tally::Tally,
    usage::Usage,
};

/// Shifts that a guardian gets in its own hand, for each seed.
const SHIFTS: u64 = 2;

/// Has those of the options and then `others` answer, writes the report and returns its summary.
///
/// # Errors
/// [`Error`] if an option or the data will not do, a training failed, or the report cannot be written.
pub fn run(options: &AgentsOptions, others: Vec<Box<dyn Entrant>>) -> Result<Summary, Error> {
    let begin = Instant::now();
    if options.winners > options.members {
        return Err(Error::Usage("--winners N: a round cannot hire more members than there are".to_owned()));
    }
    let built_in = options.all_policies().into_iter().map(|policy| Box::new(policy) as Box<dyn Entrant>);
    let entrants: Vec<Box<dyn Entrant>> = built_in.chain(others).collect();
    let model = entrants.iter().find_map(|entrant| entrant.model());
    let setting = options.setting(entrants.iter().map(|entrant| entrant.name()).collect(), model);
    let open = if options.resume { Archive::resume } else { Archive::create };
    let mut archive = open(&options.report, &setting)?;
    let (seats, seeds): (Vec<Seat>, Vec<u64>) = (options.all_seats(), options.all_seeds().collect());
    // Seed by seed, so that whoever loses patience has whole comparisons.
    let wanted = seeds.iter().flat_map(|&seed| seats.iter().map(move |&seat| (seat, seed)));
    let missing: Vec<(Seat, u64)> = wanted.filter(|(seat, seed)| !archive.holds(*seat, *seed)).collect();
    let progress = Progress::start(missing.len());
    let mut arena = Arena { options, entrants: &entrants, progress: &progress, ground: None };
    for (seat, seed) in missing {
        let begin = Instant::now();
        progress.now(format!("{seat}, seed {seed}"));
        archive.add(Run { seat, seed, results: arena.play(seat, seed)? })?;
        progress.ended(seat, seed, begin.elapsed().as_secs_f64());
    }
    progress.finish();
    let seats = seats.into_iter().map(|seat| (seat, archive.runs(seat, &seeds))).collect::<Vec<_>>();
    let summary = Summary {
        setting,
        seats: seats.iter().map(|(seat, runs)| SeatSummary::of(*seat, runs)).collect(),
        seeds,
        wall_s: begin.elapsed().as_secs_f64(),
    };
    let runs: Vec<&Run> = seats.iter().flat_map(|(_, runs)| runs.iter().copied()).collect();
    files::write_runs(archive.folder(), &runs)?;
    files::write_summary(archive.folder(), &summary, &runs)?;
    Ok(summary)
}

/// Where everybody meets.
struct Arena<'a> {
    options: &'a AgentsOptions,
    entrants: &'a [Box<dyn Entrant>],
    progress: &'a Progress,
    /// Read when it is first needed.
    ground: Option<Arc<Ground>>,
}

impl Arena<'_> {
    /// The questions of a seat, from this seed.
    fn play(&mut self, seat: Seat, seed: u64) -> Result<Vec<PolicyRun>, Error> {
        match seat {
            Seat::Bidder => self.bidders(seed),
            Seat::Selector => self.selectors(seed),
            Seat::Guardian => self.guardians(seed),
            Seat::Pace => self.paces(seed),
        }
    }

    fn bidders(&mut self, seed: u64) -> Result<Vec<PolicyRun>, Error> {
        let mut seated = self.seat(|entrant| entrant.bidder(seed));
        for number in 0..self.options.contexts {
            self.hold((Seat::Bidder, seed, number), &bidder::auction(seed, number), &mut seated);
        }
        let plays = if self.options.questions_only { Vec::new() } else { self.guilds(seed)? };
        Ok(results(seated, plays))
    }

    /// For each bidder a federation in which all bid as it does.
    fn guilds(&mut self, seed: u64) -> Result<Vec<Play>, Error> {
        let (ground, rounds, scale) = (self.ground()?, self.options.rounds, self.options.scale());
        let members = scale.members.min(guild::MEMBERS);
        let mut plays = Vec::new();
        for entrant in self.players() {
            // Each member is somebody of its own.
            let member = |number: usize| entrant.bidder(seed.wrapping_add((number as u64).rotate_right(8)));
            let bidders: Vec<_> = (0..members).filter_map(member).collect();
            if bidders.is_empty() {
                continue;
            }
            self.progress.now(format!("{}, seed {seed}: federation {}", Seat::Bidder, plays.len() + 1));
            let guild = Guild::new(ground.clone(), (members, scale.partition), seed)?;
            plays.push(Play::Guild(guild.play(rounds, bidders)?));
        }
        Ok(plays)
    }

    fn selectors(&mut self, seed: u64) -> Result<Vec<PolicyRun>, Error> {
        let world = World::new(self.ground()?, self.options.scale(), seed)?;
        let (rounds, winners) = (self.options.rounds, self.options.winners.into());
        let mut seated = self.seat(|entrant| entrant.selector(seed, winners));
        let mut number = 0;
        federation::wander(world.clone(), rounds, seed, |selection| {
            self.hold((Seat::Selector, seed, number), selection, &mut seated);
            number += 1;
        })?;
        let mut plays = Vec::new();
        for mut contestant in self.players().filter_map(|entrant| entrant.selector(seed, winners)) {
            self.progress.now(format!("{}, seed {seed}: federation {}", Seat::Selector, plays.len() + 1));
            plays.push(Play::Federation(federation::play(world.clone(), rounds, &mut *contestant)?));
        }
        Ok(results(seated, plays))
    }

    fn guardians(&self, seed: u64) -> Result<Vec<PolicyRun>, Error> {
        let mut seated = self.seat(|entrant| entrant.guardian(seed));
        self.shifts((Seat::Guardian, seed), guardian::stints, &mut seated)?;
        self.progress.now(format!("{}, seed {seed}: shifts in everybody's own hand", Seat::Guardian));
        let contestants = self.players().filter_map(|entrant| entrant.guardian(seed));
        let plays = contestants.map(|mut contestant| own_shifts(seed, &mut Hand::Guardian(&mut *contestant)));
        Ok(results(seated, plays.collect::<Result<_, _>>()?))
    }

    fn paces(&self, seed: u64) -> Result<Vec<PolicyRun>, Error> {
        let mut seated = self.seat(|entrant| entrant.pace(seed));
        self.shifts((Seat::Pace, seed), guardian::paces, &mut seated)?;
        self.progress.now(format!("{}, seed {seed}: shifts in everybody's own hand", Seat::Pace));
        let contestants = self.players().filter_map(|entrant| entrant.pace(seed));
        let plays = contestants.map(|mut contestant| own_shifts(seed, &mut Hand::Pace(&mut *contestant)));
        Ok(results(seated, plays.collect::<Result<_, _>>()?))
    }

    /// Holds as many contexts as there should be, shift by shift.
    fn shifts<C: Context>(
        &self,
        (seat, seed): (Seat, u64),
        contexts: fn(u64, u64, usize) -> Result<Vec<C>, shift::ShiftError>,
        seated: &mut [Seated<'_, C>],
    ) -> Result<(), Error> {
        let mut number = 0;
        let mut shift = 0;
        while number < self.options.contexts {
            let left = (self.options.contexts - number) as usize;
            for context in contexts(seed, shift, left)? {
                self.hold((seat, seed, number), &context, seated);
                number += 1;
            }
            shift += 1;
        }
        Ok(())
    }

    /// Everybody whom the seat means something to.
    fn seat<C: Context>(
        &self,
        make: impl Fn(&dyn Entrant) -> Option<Box<dyn Contestant<C>>>,
    ) -> Vec<Seated<'static, C>> {
        let seated = |entrant: &dyn Entrant| {
            let contestant = make(entrant)?;
            Some(Seated { name: entrant.name(), contestant, tally: Tally::default() })
        };
        self.entrants.iter().filter_map(|entrant| seated(&**entrant)).collect()
    }

    /// Has everybody answer a context, and says so.
    fn hold<C: Context>(&self, (seat, seed, number): (Seat, u64, u64), context: &C, seated: &mut [Seated<'_, C>]) {
        self.progress.now(format!("{seat}, seed {seed}: question {}", number + 1));
        contest::hold(context, number, Manner { seed, permutations: self.options.permutations }, seated);
    }

    /// Who gets rounds in its own hand.
    fn players(&self) -> impl Iterator<Item = &dyn Entrant> {
        self.entrants.iter().filter(|_| !self.options.questions_only).map(|entrant| &**entrant)
    }

    fn ground(&mut self) -> Result<Arc<Ground>, Error> {
        if let Some(ground) = &self.ground {
            return Ok(ground.clone());
        }
        let first = |count: usize| (0..count as u32).collect::<Vec<u32>>();
        let train = first(world::SAMPLES * usize::from(self.options.members));
        let train = data::load(&self.options.data, Subset::Train, &train)?;
        let test = data::load(&self.options.data, Subset::Test, &first(world::JUDGED_BY))?;
        Ok(self.ground.insert(Arc::new(Ground::new(train, &test))).clone())
    }
}

/// What comes of a guardian's shifts in a contestant's own hand.
fn own_shifts(seed: u64, hand: &mut Hand<'_>) -> Result<Play, Error> {
    // Other shifts than the contexts are from.
    let ends = (0..SHIFTS).map(|number| guardian::play(seed, u64::MAX - number, hand));
    let ends = ends.collect::<Result<Vec<_>, _>>()?;
    let mean = |part: fn(&guardian::ShiftEnd) -> f64| ends.iter().map(part).sum::<f64>() / SHIFTS as f64;
    Ok(Play::Shifts { work: mean(|end| end.work), spent: mean(|end| end.spent), late: mean(|end| end.late as f64) })
}

/// Puts tallies and plays together: both are in the order of the entrants who take part.
fn results<C>(seated: Vec<Seated<'_, C>>, plays: Vec<Play>) -> Vec<PolicyRun> {
    let mut plays = plays.into_iter();
    let result = |Seated { name, tally, .. }: Seated<'_, C>| PolicyRun { policy: name, tally, play: plays.next() };
    seated.into_iter().map(result).collect()
}
