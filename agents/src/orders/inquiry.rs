//! The words of a question.

use althing_protocol::{event::Role, ids::Hash};

use super::{
    choice::{Choice, Topic},
    memory::Memory,
    situation::Situation,
};

/// Past orders that a model is told of.
pub const MEMORIES_TOLD: usize = 3;

/// Menus and members are shuffled anew after so many rounds. All members shuffle alike: a server that several of them ask
/// has the answer to the same words at hand.
const SHUFFLED_EVERY: u64 = 8;

/// Tokens that a question may have beyond the beginning that all questions of its topic share.
pub const TOKENS_MAX: usize = 200;

/// Tokens that the model may think aloud in.
pub const REASON_TOKENS: u32 = 24;

/// Tokens that the words after the facts are counted as: what is asked for, and the longest menu.
const TOKENS_OF_ASKING: usize = 60;

/// Sentences that are told before what was learnt; those in more detail come after it.
const FIRST: usize = 4;

/// Longest reason that is shown to the model again, and kept, in bytes.
const REASON_BYTES: usize = 240;

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// Who sets the rules.
    System,
    /// Who asks.
    User,
    /// The model.
    Assistant,
}

/// A part of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub speaker: Speaker,
    /// What.
    pub text: String,
}

/// A question about one topic, ready to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// What it is about.
    pub topic: Topic,
    /// What may be chosen, in an order that chance has made.
    pub menu: Vec<Choice>,
    /// What is known, as the model is told it.
    pub facts: String,
    /// Which lines of the facts tell of one member each, in an order that chance has made.
    rows: Vec<usize>,
}

impl Inquiry {
    /// The question that a member asks about `topic` when the round of this situation opens; none where there is no
    /// choice. It tells of what the member remembers, and is shuffled as all members shuffle in that round.
    pub fn of_round(topic: Topic, situation: &Situation, memory: &Memory) -> Option<Self> {
        let shuffle = situation.round.0 / SHUFFLED_EVERY;
        let lot = Hash::derive("althing 1 orders", &[topic.name().as_bytes(), &shuffle.to_be_bytes()]);
        Self::new(topic, situation, &memory.best(topic, MEMORIES_TOLD), &lot)
    }

    /// A question about `topic` in this situation; none where there is no choice. Of `memories` and of what is known as
    /// much is told as there is room for. `lot` shuffles the menu and the members.
    pub fn new(topic: Topic, situation: &Situation, memories: &[String], lot: &Hash) -> Option<Self> {
        let mut menu = situation.menu(topic);
        menu.sort_by_key(|choice| Hash::derive("althing 1 order menu", &[lot.as_bytes(), choice.word().as_bytes()]));
        let (sentences, members) = (situation.sentences(topic), situation.rows(topic, lot));
        let known = sentences.iter().map(|sentence| (sentence, false)).chain(members.iter().map(|row| (row, true)));
        let memories = memories.iter().map(|memory| (memory, false));
        let mut room = TOKENS_MAX - TOKENS_OF_ASKING - REASON_TOKENS as usize;
        let (mut lines, mut rows): (Vec<&str>, Vec<usize>) = (Vec::new(), Vec::new());
        // What was learnt comes before what is known in detail: the rows of members come last and are left out first.
        for (sentence, is_row) in known.clone().take(FIRST).chain(memories).chain(known.skip(FIRST)) {
            let cost = tokens_at_most(sentence) + 1;
            if cost > room {
                break;
            }
            room -= cost;
            if is_row {
                rows.push(lines.len());
            }
            lines.push(sentence);
        }
        (!menu.is_empty()).then(|| Self { topic, menu, facts: lines.join("\n"), rows })
    }

    /// The same question with its menu, and the members that it tells of, in another order, which `lot` draws.
    #[must_use]
    pub fn shuffled(&self, lot: &Hash) -> Self {
        let known: Vec<&str> = self.facts.lines().collect();
        let mut lines = known.clone();
        for (place, other) in self.rows.iter().zip(in_another_order(&self.rows, lot)) {
            lines[*place] = known[other];
        }
        Self { menu: in_another_order(&self.menu, lot), facts: lines.join("\n"), ..self.clone() }
    }

    /// Asks to think aloud.
    pub fn think(&self) -> Vec<Message> {
        let asked = format!("{}\nIn one short sentence: what matters most now?", self.facts);
        vec![said(Speaker::System, rules(self.topic)), said(Speaker::User, &asked)]
    }

    /// Asks for one word of the menu, told in this order.
    pub fn choose(&self, reason: &str, menu: &[Choice]) -> Vec<Message> {
        let words: Vec<String> = menu.iter().map(|choice| choice.word()).collect();
        self.after(reason, &format!("Choose one: {}.", words.join(", ")))
    }

    /// Asks about one entry alone, for yes or no. The others are not named, so their order cannot matter.
    pub fn weigh(&self, reason: &str, choice: Choice) -> Vec<Message> {
        self.after(reason, &format!("Is it best now to {}? Answer yes or no.", choice.meaning()))
    }

    fn after(&self, reason: &str, asked: &str) -> Vec<Message> {
        let mut messages = self.think();
        messages.extend([said(Speaker::Assistant, &clipped(reason)), said(Speaker::User, asked)]);
        messages
    }
}

/// All of `things`. If there is more than one, some are at other places.
fn in_another_order<T: Copy>(things: &[T], lot: &Hash) -> Vec<T> {
    let mut places: Vec<usize> = (0..things.len()).collect();
    places.sort_by_key(|place| Hash::derive("althing 1 order place", &[lot.as_bytes(), &place.to_be_bytes()]));
    if places.is_sorted() {
        places.reverse();
    }
    places.into_iter().filter_map(|place| things.get(place)).copied().collect()
}

fn said(speaker: Speaker, text: &str) -> Message {
    Message { speaker, text: text.to_owned() }
}

/// A model's own words, made short and plain: letters, digits and stops of one line.
fn clipped(reason: &str) -> String {
    let plain = reason.chars().map(|letter| if letter.is_ascii_graphic() { letter } else { ' ' });
    let mut clipped: String = plain.take(REASON_BYTES).collect();
    clipped.truncate(clipped.trim_end().len());
    clipped
}

/// What all questions about a topic begin with. It never changes, so that a server need read it only once.
const fn rules(topic: Topic) -> &'static str {
    match (topic.role(), topic) {
        (Role::Bidder, Topic::Contract) => {
            "You advise the bidder of one member of a federation. Each round the member may offer to train the common \
             model under one contract. It is paid when it is hired and delivers. A contract with more work pays more \
             and takes the machine longer. Members whose work is cheap for what it is worth are hired first. You \
             decide which contract the member bids for."
        }
        (Role::Bidder, _) => {
            "You advise the bidder of one member of a federation. Each round the member names a sealed price for \
             training the common model. The cheapest are hired. Whoever is hired is paid the highest price at which \
             it would still have been hired, never less than its own. A high price loses rounds in which the work \
             would have paid; a price under cost loses money. You decide how much above its cost the member asks."
        }
        (Role::Selector, Topic::Hire) => {
            "You advise the selector of one round of federated learning. Members train a common model on data of \
             their own and send their updates. More members in a round make the update steadier and cost more; \
             fewer cost less and the round ends sooner. You decide how many of the places are filled."
        }
        (Role::Selector, Topic::Counter) => {
            "You advise the selector of one round of federated learning. Members have bid, each for one contract, and \
             the cheapest are hired. Before that, one or two of them may be offered another contract at a fixed price, \
             which they may decline: a bigger one to members that deliver, or a smaller one to members that were not \
             hired for long. What they are paid is not left for others. You decide which offers are made."
        }
        (Role::Selector, _) => {
            "You advise the selector of one round of federated learning. Members train a common model on data of \
             their own, which differs from member to member, and send their updates. If the same members are hired \
             again and again, the model forgets the data of the others; if members that fail to deliver are hired, \
             the round is lost. You decide which kind of member is favoured."
        }
        (Role::Guardian, Topic::Pace) => {
            "You advise the guardian of one member's privacy in a federation. Every training spends of a privacy \
             budget that never comes back. Spending more in a round means less noise and a better update; a budget \
             that is spent before the last round leaves the member out of the rest. You decide how fast the budget \
             is spent."
        }
        (Role::Guardian, _) => {
            "You advise the guardian of one member's machine in a federation. The member trains a part of the common \
             model before a deadline and is paid for it. Work that does not end in time is lost and costs \
             reputation; work that is not taken on earns nothing. You decide how much work the member may take on."
        }
    }
}

/// Never less than the tokens of `text`: a digit or sign each, and a word of letters for every four of them.
pub fn tokens_at_most(text: &str) -> usize {
    let (mut tokens, mut letters) = (0, 0_usize);
    for letter in text.chars() {
        if letter.is_ascii_alphabetic() {
            letters += 1;
            continue;
        }
        tokens += letters.div_ceil(4) + usize::from(letter != ' ');
        letters = 0;
    }
    tokens + letters.div_ceil(4)
}
