//! Who decides within a node: bidder, selector and guardian.
