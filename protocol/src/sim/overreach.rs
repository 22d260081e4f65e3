//! Statements that are well signed but say what no member may, and statements that say one thing to some and another
//! to others.

use std::collections::BTreeMap;

use serde_bytes::ByteBuf;

use super::byzantine::{Audience, Copy};
use crate::{
    crypto::{Keypair, Signed, Statement},
    ids::{Hash, MemberId, NetworkId, Round},
    statement::{
        Action, Appraisal, Bid, BidCommit, BidReveal, CounterOffer, CounterOffers, CounterReply, HeldOut, Instruction,
        Marks, Reply, UpdateOffer, Withdrawal,
    },
    wire::Message,
};

/// A bid for a contract that is not on the menu, at a price beyond all credits.
const GREEDY: Bid = Bid { contract: 200, price: u64::MAX, samples: u64::MAX };

/// What a liar signs with.
pub(super) struct Pen<'a> {
    pub(super) keypair: &'a Keypair,
    pub(super) network: &'a NetworkId,
}

impl Pen<'_> {
    fn sign<T: Statement>(&self, statement: &T) -> Signed<T> {
        Signed::new(self.keypair, self.network, statement)
    }

    fn id(&self) -> MemberId {
        self.keypair.id()
    }

    fn salt() -> Hash {
        Hash::of(b"a liar's salt")
    }

    fn greedy_reveal(round: Round, marks: Option<Hash>) -> BidReveal {
        BidReveal { round, bid: GREEDY, salt: Self::salt(), marks }
    }

    /// The statement beyond all bounds; nothing for what has none.
    pub(super) fn overreach(&self, message: &Message) -> Option<Message> {
        Some(match message {
            Message::Commit(signed) => {
                let BidCommit { round, .. } = signed.peek().ok()?;
                let seal = Some(GREEDY.seal(&self.id(), round, &Self::salt()));
                Message::Commit(self.sign(&BidCommit { round, seal }))
            }
            Message::Reveal(signed) => {
                let BidReveal { round, marks, .. } = signed.peek().ok()?;
                Message::Reveal(self.sign(&Self::greedy_reveal(round, marks)))
            }
            Message::Marks(signed) => {
                let marks = signed.peek().ok()?;
                let weights = BTreeMap::from([(self.id(), u16::MAX)]);
                Message::Marks(self.sign(&Marks { hire: u32::MAX, weights, ..marks }))
            }
            Message::CounterOffers(signed) => {
                // Under the bounds of a statement, so that everybody takes it; but no Plan may hold it.
                let CounterOffers { round, offers } = signed.peek().ok()?;
                let offers = offers.into_iter().map(|offer| CounterOffer { price: offer.price + 1, ..offer }).collect();
                Message::CounterOffers(self.sign(&CounterOffers { round, offers }))
            }
            Message::CounterReply(signed) => {
                let CounterReply { round, .. } = signed.peek().ok()?;
                let offers = Hash::of(b"offers that nobody has made");
                Message::CounterReply(self.sign(&CounterReply { round, offers, reply: Reply::Accept }))
            }
            Message::Update(signed) => {
                let offer = signed.peek().ok()?;
                Message::Update(self.sign(&UpdateOffer { samples: u64::MAX, training_ms: u64::MAX, ..offer }))
            }
            Message::Appraisal(signed) => {
                let Appraisal { round, .. } = signed.peek().ok()?;
                let gains = BTreeMap::from([(self.id(), i64::MIN)]);
                Message::Appraisal(self.sign(&Appraisal {
                    round,
                    gains,
                    held_out: HeldOut::default(),
                    arrivals: ByteBuf::new(),
                }))
            }
            Message::Instruction(signed) => {
                let instruction = signed.peek().ok()?;
                let action = Action::Transfer { to: MemberId([0; 32]), amount: u64::MAX };
                Message::Instruction(self.sign(&Instruction { action, ..instruction }))
            }
            Message::Withdrawal(_) | Message::Body(_) | Message::Agreement(_) | Message::Have(_) | Message::Tip(_) => {
                return None;
            }
        })
    }

    /// The statement to some and its opposite to others; nothing for what has no opposite.
    pub(super) fn two_faces(&self, message: &Message) -> Option<Vec<Copy>> {
        let other = match message {
            Message::Commit(signed) => {
                let BidCommit { round, .. } = signed.peek().ok()?;
                Message::Commit(self.sign(&BidCommit { round, seal: None }))
            }
            Message::Marks(signed) => {
                let marks = signed.peek().ok()?;
                Message::Marks(self.sign(&Marks { hire: marks.hire + 1, ..marks }))
            }
            Message::CounterReply(signed) => {
                let CounterReply { round, offers, reply } = signed.peek().ok()?;
                let reply = if reply == Reply::Accept { Reply::Decline } else { Reply::Accept };
                Message::CounterReply(self.sign(&CounterReply { round, offers, reply }))
            }
            Message::Update(signed) => {
                let UpdateOffer { round, .. } = signed.peek().ok()?;
                Message::Withdrawal(self.sign(&Withdrawal { round }))
            }
            Message::Appraisal(signed) => {
                let appraisal = signed.peek().ok()?;
                let gains = appraisal.gains.iter().map(|(member, gain)| (*member, -gain)).collect();
                Message::Appraisal(self.sign(&Appraisal { gains, ..appraisal }))
            }
            _ => return None,
        };
        let first = Copy { audience: Audience::Even, message: message.clone() };
        Some(vec![first, Copy { audience: Audience::Odd, message: other }])
    }
}
