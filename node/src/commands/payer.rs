//! Whoever pays: signs an instruction, hands it in, and waits until the members have decided it.

use std::{
    thread,
    time::{Duration, Instant},
};

use althing_protocol::{
    crypto::Signed,
    genesis::Genesis,
    ids::{MemberId, NetworkId},
    statement::{Action, Instruction},
};

use crate::{
    cli::credits::PayerArgs,
    config::Config,
    failure::Failure,
    genesis_file,
    keyfile::KeyFile,
    status::{AskError, Books, Door, SubmitFailure},
};

/// How often the ledger is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// After how long people are told what is waited for.
const QUIET: Duration = Duration::from_secs(2);

/// An account's owner at a node.
pub(super) struct Payer {
    key: KeyFile,
    door: Door,
    wait: Duration,
    network: NetworkId,
    pub(super) genesis: Genesis,
}

/// What has become of an instruction.
pub(super) enum Fate {
    /// A body says it: the ledger as it was when that was seen.
    Decided(Box<Books>),
    /// It is handed in, and was not waited for.
    HandedIn,
}

impl Payer {
    pub(super) fn of(args: &PayerArgs) -> Result<Self, Failure> {
        let (key, genesis, door) = match (args.node, &args.genesis, &args.key) {
            (Some(node), Some(genesis), Some(key)) => {
                let door = Door::at(node).ok_or_else(|| {
                    Failure::user(format_args!(
                        "--node {node} is not on this machine; nodes are spoken to on loopback only"
                    ))
                })?;
                (key.clone(), genesis.clone(), door)
            }
            _ => {
                let config = Config::load(&args.config)?;
                let door = Door::of(&config.data_dir).map_err(|error| silent(&error))?;
                (args.key.clone().unwrap_or(config.key), config.genesis, door)
            }
        };
        let (key, genesis) = (KeyFile::load(&key)?, genesis_file::load(&genesis)?);
        Ok(Self { key, door, wait: Duration::from_secs(args.wait_s), network: genesis.network(), genesis })
    }

    pub(super) fn id(&self) -> MemberId {
        self.key.id()
    }

    /// What the ledger says now, of the federation whose genesis this is.
    pub(super) fn books(&self) -> Result<Books, Failure> {
        let books = self.door.books().map_err(|error| silent(&error))?;
        if books.network == self.network {
            return Ok(books);
        }
        Err(Failure::user(format_args!(
            "the node is of network {}, but the genesis is that of {}; give the genesis that belongs to it",
            books.network, self.network
        )))
    }

    /// Has `action` done.
    pub(super) fn instruct(&self, books: &Books, action: Action) -> Result<Fate, Failure> {
        let Some((nonce, _)) = books.ledger.standing(&self.id()) else {
            return Err(Failure::user(format_args!(
                "{} has no account in this federation; have a member send it credits first",
                self.key.name
            )));
        };
        let signed = Signed::new(&self.key.keypair(), &self.network, &Instruction { nonce, action });
        self.door.submit(&signed).map_err(|error| match error {
            SubmitFailure::Ask(error) => silent(&error),
            refused @ SubmitFailure::Refused(_) => Failure::user(refused),
        })?;
        if self.wait.is_zero() { Ok(Fate::HandedIn) } else { self.wait_for(nonce) }
    }

    fn wait_for(&self, nonce: u64) -> Result<Fate, Failure> {
        let begun = Instant::now();
        let mut told = false;
        loop {
            let books = self.books()?;
            if books.ledger.standing(&self.id()).is_some_and(|(next, _)| next > nonce) {
                return Ok(Fate::Decided(Box::new(books)));
            }
            if begun.elapsed() > self.wait {
                return Err(Failure::machine(format_args!(
                    "the members have not decided it within {} s; it may still be decided: look with `althing credits`",
                    self.wait.as_secs()
                )));
            }
            if !told && begun.elapsed() > QUIET {
                told = true;
                eprintln!("handed in; waiting for the Plan of round {} or the next ...", books.round);
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

fn silent(error: &AskError) -> Failure {
    Failure::user(format_args!("{error}; start one with `althing run`, or name another with --node"))
}
