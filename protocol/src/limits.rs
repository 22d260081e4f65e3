//! Bounds that hold in every federation, whatever its genesis says.
//!
//! A genesis may ask for less than these, never for more: they protect the decoder that reads the genesis too.

/// Members a federation may have: every member sends a statement or two a phase, and a body holds them all.
pub const MAX_MEMBERS: usize = 128;

/// Contracts on the public menu.
pub const MAX_CONTRACTS: usize = 16;

/// Counter-offers in a round.
pub const MAX_COUNTER_OFFERS: u32 = 2;

/// Instructions of account owners in a body.
pub const MAX_INSTRUCTIONS: usize = 128;

/// Accounts of others than members: sponsors, and whoever was sent credits.
pub const MAX_GUESTS: usize = 1_024;

/// Least that opens an account of somebody who is no member, in micro-credits: accounts take room for ever.
pub const LEAST_OPENING: u64 = 1_000;

/// Jobs that wait for their turns or have one.
pub const MAX_JOBS: usize = 16;

/// Accounts to which a genesis may give credits.
pub const MAX_GRANTS: usize = 64;

/// Invitations that the ledger remembers: those that were used or revoked, and have not lapsed.
pub const MAX_TICKETS: usize = 1_024;

/// Longest name of a member or a federation, in letters.
pub const MAX_NAME_CHARS: usize = 64;

/// Rounds that one job may pay for.
pub const MAX_JOB_ROUNDS: u32 = 1_000_000;

/// Longest encoded genesis, in bytes.
pub const MAX_GENESIS_BYTES: usize = 256 * 1024;

/// Longest statement of one member other than an appraisal, in bytes.
pub const MAX_STATEMENT_BYTES: usize = 512;

/// Longest instruction of an account's owner, in bytes: an application holds an invitation and the claim to it.
pub const MAX_INSTRUCTION_BYTES: usize = 1_024;

/// Longest appraisal, in bytes: a score for every member.
pub const MAX_APPRAISAL_BYTES: usize = 64 * MAX_MEMBERS;

/// Longest list of marks, in bytes: a mark and a sealed bid's digest for every member.
pub const MAX_MARKS_BYTES: usize = 96 * MAX_MEMBERS;

/// Longest body, in bytes. Everything that travels by gossip is at most this plus [`MAX_ENVELOPE_BYTES`].
pub const MAX_BODY_BYTES: usize = 768 * 1024;

/// What an envelope adds to what it carries, in bytes, rounded up.
pub const MAX_ENVELOPE_BYTES: usize = 1024;

/// Longest message between peers, in bytes.
pub const MAX_MESSAGE_BYTES: usize = MAX_BODY_BYTES + MAX_ENVELOPE_BYTES;

/// Decided heights in one answer to a peer that catches up.
pub const MAX_SYNC_HEIGHTS: usize = 16;

/// Largest model or update, in bytes.
pub const MAX_BLOB_BYTES: u64 = 1 << 30;

/// Largest voting power in total: the engine multiplies it by three.
pub const MAX_TOTAL_POWER: u64 = u64::MAX / 8;

/// Turns of a member's hash chain: rounds that it can chair before its part in the election's seed is used up.
pub const CHAIN_TURNS: u32 = 4_096;

/// Longest phase, in milliseconds: an hour.
pub const MAX_PHASE_MS: u64 = 3_600_000;

/// Largest amount that a genesis may mint in one round, in micro-credits. It leaves room for 2^23 rounds.
pub const MAX_MINT: u64 = 1 << 40;

/// Largest number of bids that a genesis may let a member lose in a row before it goes first.
pub const MAX_LOSSES: u32 = 10_000;

/// Largest value that a bid can have in the market, marks counted: far above any menu's, and small enough for products
/// with a price and with sums over millions of bids to fit 128 bits.
pub const MAX_VALUE: u64 = 1 << 40;

/// Rounds after the first vote in which a motion can be carried.
pub const MOTION_ROUNDS: u64 = 10_000;

/// Largest number of rounds that a genesis may let a voter be away.
pub const MAX_ABSENCE: u64 = 100_000;

/// Open motions that one member may have voted for, so that the ledger stays small.
pub const MAX_VOTES: usize = 16;

/// Rounds after its removal in which no invitation leads a member back. Nobody knows when an invitation was signed, so this
/// is as long as one holds by default.
pub const BARRED_ROUNDS: u64 = 10_000;
