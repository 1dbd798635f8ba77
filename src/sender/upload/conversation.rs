//! What to say next to a receiver that takes a clip in pieces.
//!
//! Owns the protocol: it is asked what it has (an empty PUT, `Content-Range: bytes */N`), then gets one piece after the other
//! from there (`bytes 0-131071/N`), and answers 308 with `Range: bytes=0-M` until it has the last one, then 2xx. Refuses to
//! know sockets, pace and schedules. Pure.
//!
//! Nothing but the answer to the last piece, or a 2xx that names every byte, is believed to mean that all of it arrived: a
//! receiver that knows no pieces answers 2xx to the first one, and has kept a stump.

use crate::delivery::Outcome;

/// What to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    /// What have you got?
    Ask,
    /// So much of the clip.
    Send {
        /// The first byte.
        from: u64,
        /// Behind the last one.
        to: u64,
    },
}

/// What follows from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It goes on.
    Go(Say),
    /// This attempt is over, and the answer says how.
    Over,
    /// This attempt is over: the receiver does not do as agreed.
    Broken(Breach),
}

/// What a receiver does that can lead nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Breach {
    #[error("it takes a part of the clip for all of it; it must answer 308 with `Range` until it has the last byte")]
    TakesAPartForAll,
    #[error("it keeps nothing of what it is sent; each 308 must say what it has: `Range: bytes=0-131071`")]
    KeepsNothing,
    #[error("it says that it has every byte, and asks for more; it must answer 2xx when it has the last byte")]
    WantsMore,
    #[error(
        "it answers that what it is sent doesn't fit what it has; asked for that, it must say so: 308 with `Range`"
    )]
    Conflict,
}

/// A conversation about one clip.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conversation {
    /// Bytes of the clip, at least one.
    whole: u64,
    /// Bytes of a piece, at least one.
    piece: u64,
    said: Say,
    /// It has more than when it was last asked: to ask again, after something broke, can't go on for ever.
    has_grown: bool,
}

impl Conversation {
    /// Of a clip of `whole` bytes, in pieces of so many.
    pub(super) fn about(whole: u64, piece: u64) -> Conversation {
        Conversation { whole, piece: piece.max(1), said: Say::Ask, has_grown: false }
    }

    /// What is to be said now.
    pub(super) fn said(&self) -> Say {
        self.said
    }

    /// Takes in the answer, in which the receiver says that it has `received` bytes, if it does.
    pub(super) fn answer(&mut self, outcome: &Outcome, received: Option<u64>) -> Next {
        let next = match self.said {
            Say::Ask => self.asked(outcome, received),
            Say::Send { from, to } => self.sent(from, to, outcome, received),
        };
        if let Next::Go(say) = next {
            self.has_grown =
                matches!(say, Say::Send { .. }) && (self.has_grown || matches!(self.said, Say::Send { .. }));
            self.said = say;
        }
        next
    }

    fn asked(&self, outcome: &Outcome, received: Option<u64>) -> Next {
        match outcome {
            Outcome::Status { status: 308, .. } => self.from(received.unwrap_or(0)),
            Outcome::Status { status: 200..=299, .. } if received == Some(self.whole) => Next::Over,
            // It has never heard of it, or knows no questions: what it does with pieces will show.
            Outcome::Status { status: 200..=299 | 404, .. } => self.from(0),
            Outcome::Status { status: 409, .. } => Next::Broken(Breach::Conflict),
            _ => Next::Over,
        }
    }

    fn sent(&self, from: u64, to: u64, outcome: &Outcome, received: Option<u64>) -> Next {
        match outcome {
            Outcome::Status { status: 308, .. } => match received {
                Some(received) if received > from => self.from(received),
                _ => Next::Broken(Breach::KeepsNothing),
            },
            Outcome::Status { status: 200..=299, .. } if to == self.whole => Next::Over,
            Outcome::Status { status: 200..=299, .. } => Next::Broken(Breach::TakesAPartForAll),
            // Elsewhere a 409 after a lost answer means that it has it already. Here it may have a part.
            Outcome::Status { status: 409 | 416, .. } if self.has_grown => Next::Go(Say::Ask),
            Outcome::Status { status: 409, .. } => Next::Broken(Breach::Conflict),
            Outcome::NoAnswer | Outcome::StaleConnection | Outcome::Unreachable if self.has_grown => Next::Go(Say::Ask),
            _ => Next::Over,
        }
    }

    fn from(&self, from: u64) -> Next {
        match from < self.whole {
            true => Next::Go(Say::Send { from, to: self.whole.min(from + self.piece) }),
            false => Next::Broken(Breach::WantsMore),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIECE: u64 = 1000;
    const WHOLE: u64 = 2 * PIECE + 10;
    const OVER: Next = Next::Over;

    fn status(status: u16) -> Outcome {
        Outcome::Status { status, retry_after: None }
    }

    fn send(from: u64) -> Next {
        Next::Go(Say::Send { from, to: WHOLE.min(from + PIECE) })
    }

    /// What follows from each answer of a receiver, up to the first that ends it.
    fn led_to(answers: &[(Outcome, Option<u64>)]) -> Vec<Next> {
        let mut conversation = Conversation::about(WHOLE, PIECE);
        let mut next = Vec::new();
        for (outcome, received) in answers {
            next.push(conversation.answer(outcome, *received));
            if !matches!(next.last(), Some(Next::Go(_))) {
                break;
            }
        }
        next
    }

    #[test]
    fn piece_after_piece_from_where_it_is() {
        let all = [(308, None), (308, Some(PIECE)), (308, Some(2 * PIECE)), (201, None)];
        let all = all.map(|(code, received)| (status(code), received));
        assert_eq!(led_to(&all), [send(0), send(PIECE), send(2 * PIECE), OVER]);
        let rest = [(status(308), Some(PIECE + 7)), (status(308), Some(WHOLE - 1)), (status(200), None)];
        assert_eq!(led_to(&rest), [send(PIECE + 7), send(WHOLE - 1), OVER], "it may keep a part of a piece");
    }

    #[test]
    fn what_it_has_already_is_not_sent_again() {
        assert_eq!(led_to(&[(status(200), Some(WHOLE))]), [OVER]);
    }

    #[test]
    fn a_receiver_that_knows_no_pieces_is_found_out() {
        let simple = [(status(200), None), (status(201), None)];
        assert_eq!(led_to(&simple), [send(0), Next::Broken(Breach::TakesAPartForAll)]);
        let small = Conversation::about(PIECE, PIECE).answer(&status(404), None);
        assert_eq!(small, Next::Go(Say::Send { from: 0, to: PIECE }));
    }

    #[test]
    fn whatever_leads_nowhere_ends() {
        for (answers, end) in [
            (vec![(status(308), Some(WHOLE))], Next::Broken(Breach::WantsMore)),
            (vec![(status(308), None), (status(308), None)], Next::Broken(Breach::KeepsNothing)),
            (vec![(status(308), Some(9)), (status(308), Some(9))], Next::Broken(Breach::KeepsNothing)),
            (vec![(status(308), None), (status(409), None)], Next::Broken(Breach::Conflict)),
            (vec![(status(409), None)], Next::Broken(Breach::Conflict)),
            (vec![(status(403), None)], OVER),
            (vec![(status(308), None), (status(413), None)], OVER),
            (vec![(Outcome::Unreachable, None)], OVER),
            (vec![(status(308), None), (Outcome::NoAnswer, None)], OVER),
        ] {
            assert_eq!(led_to(&answers).pop(), Some(end), "{answers:?}");
        }
    }

    #[test]
    fn it_is_asked_again_after_a_break_if_there_was_progress_since_the_last_time() {
        let (lost, has) = (Outcome::NoAnswer, |bytes| (status(308), Some(bytes)));
        let answers = [has(0), has(PIECE), (lost.clone(), None), has(2 * PIECE), (lost.clone(), None)];
        let said = [send(0), send(PIECE), Next::Go(Say::Ask), send(2 * PIECE), OVER];
        assert_eq!(led_to(&answers), said);
        let moved = [has(0), has(PIECE), (status(416), None), has(5), has(PIECE), (status(409), None), has(PIECE)];
        let said = [send(0), send(PIECE), Next::Go(Say::Ask), send(5), send(PIECE), Next::Go(Say::Ask), send(PIECE)];
        assert_eq!(led_to(&moved), said);
    }

    proptest! {
        #[test]
        fn delivered_is_only_what_arrived_as_a_whole(
            answers in proptest::collection::vec(
                (prop_oneof![Just(200_u16), Just(308), Just(404), Just(409), Just(503)], proptest::option::of(0..=WHOLE)),
                1..40,
            )
        ) {
            let mut conversation = Conversation::about(WHOLE, PIECE);
            for (code, received) in answers {
                let said = conversation.said();
                match conversation.answer(&status(code), received) {
                    Next::Go(_) => {}
                    Next::Over if code == 200 => {
                        let sent_the_last = matches!(said, Say::Send { to, .. } if to == WHOLE);
                        prop_assert!(sent_the_last || received == Some(WHOLE));
                        break;
                    }
                    Next::Over | Next::Broken(_) => break,
                }
            }
        }
    }
}
