//! What to say next to a receiver that takes a clip in pieces.
//!
//! Owns the protocol: it is asked what it has (an empty PUT, `Content-Range: bytes */N`), then gets one piece after the other
//! from there (`bytes 0-16383/N`), and answers 308 with `Range: bytes=0-M` until it has the last one, then 2xx. Refuses to
//! know sockets, pace and schedules. Pure.
//!
//! Nothing but the answer to the last piece, or a 2xx that names every byte, is believed to mean that all of it arrived: a
//! receiver that knows no pieces answers 2xx to the first one, and has kept a stump. And whatever a receiver says, it ends:
//! to ask again takes progress, and there are only so many requests.

use super::allowance::SMALLEST;
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

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    pub(super) outcome: &'a Outcome,
    /// How many bytes the receiver says that it has, if it does.
    pub(super) received: Option<u64>,
    /// It sends us elsewhere: another meaning of 308.
    pub(super) moved: bool,
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
    #[error("it doesn't keep what it is sent; each 308 must say what it has: `Range: bytes=0-16383`")]
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
    /// Bytes of the clip.
    whole: u64,
    said: Say,
    /// The most that the receiver has ever had, …
    most: u64,
    /// … and what that was when it was last asked.
    most_when_asked: u64,
    /// So many requests are left.
    left: u64,
}

impl Conversation {
    /// Of a clip of `whole` bytes.
    pub(super) fn about(whole: u64) -> Conversation {
        let left = whole.div_ceil(SMALLEST).saturating_mul(2).saturating_add(64);
        Conversation { whole, said: Say::Ask, most: 0, most_when_asked: 0, left }
    }

    /// What is to be said now.
    pub(super) fn said(&self) -> Say {
        self.said
    }

    /// The most that the receiver has ever had, in bytes.
    pub(super) fn most(&self) -> u64 {
        self.most
    }

    /// Takes in an answer. `piece`: bytes of the next one.
    pub(super) fn answer(&mut self, answer: Answer<'_>, piece: u64) -> Next {
        self.most = self.most.max(answer.received.unwrap_or(0).min(self.whole));
        self.left = self.left.saturating_sub(1);
        let next = match self.said {
            Say::Ask => self.asked(answer, piece),
            Say::Send { from, to } => self.sent(from, to, answer, piece),
        };
        match next {
            Next::Go(_) if self.left == 0 => Next::Broken(Breach::KeepsNothing),
            Next::Go(say) => {
                // What it says after a break is no progress of this conversation.
                if self.said == Say::Ask || say == Say::Ask {
                    self.most_when_asked = self.most;
                }
                self.said = say;
                next
            }
            Next::Over | Next::Broken(_) => next,
        }
    }

    fn asked(&self, answer: Answer<'_>, piece: u64) -> Next {
        let has_all = answer.received.is_some_and(|received| received >= self.whole);
        match answer.outcome {
            Outcome::Status { status: 308, .. } if answer.moved && answer.received.is_none() => Next::Over,
            // It was interrupted before it could finish: the last byte once more gives it the chance.
            Outcome::Status { status: 308, .. } if has_all => self.from(self.whole.saturating_sub(1), piece),
            Outcome::Status { status: 308, .. } => self.from(answer.received.unwrap_or(0), piece),
            Outcome::Status { status: 200..=299, .. } if has_all => Next::Over,
            // It has never heard of it, or knows no questions: what it does with pieces will show.
            Outcome::Status { status: 200..=299 | 404, .. } => self.from(0, piece),
            Outcome::Status { status: 409, .. } => Next::Broken(Breach::Conflict),
            _ => Next::Over,
        }
    }

    fn sent(&self, from: u64, to: u64, answer: Answer<'_>, piece: u64) -> Next {
        let has_grown = self.most > self.most_when_asked;
        let has_all = answer.received.is_some_and(|received| received >= self.whole);
        match answer.outcome {
            Outcome::Status { status: 308, .. } if answer.moved && answer.received.is_none() => Next::Over,
            Outcome::Status { status: 308, .. } if has_all => Next::Broken(Breach::WantsMore),
            Outcome::Status { status: 308, .. } => match answer.received {
                Some(received) if received > from => self.from(received, piece),
                _ => Next::Broken(Breach::KeepsNothing),
            },
            Outcome::Status { status: 200..=299, .. } if to == self.whole || has_all => Next::Over,
            Outcome::Status { status: 200..=299, .. } => Next::Broken(Breach::TakesAPartForAll),
            // A smaller one may do.
            Outcome::Status { status: 413, .. } if to - from > SMALLEST => {
                self.from(from, piece.min((to - from) / 2).max(SMALLEST))
            }
            // Elsewhere a 409 after a lost answer means that it has it already. Here it may have a part.
            Outcome::Status { status: 409 | 416, .. } if has_grown => Next::Go(Say::Ask),
            Outcome::Status { status: 409, .. } => Next::Broken(Breach::Conflict),
            Outcome::NoAnswer | Outcome::StaleConnection | Outcome::Unreachable if has_grown => Next::Go(Say::Ask),
            _ => Next::Over,
        }
    }

    fn from(&self, from: u64, piece: u64) -> Next {
        Next::Go(Say::Send { from, to: self.whole.min(from.saturating_add(piece.max(1))) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIECE: u64 = 2 * SMALLEST;
    const WHOLE: u64 = 2 * PIECE + 10;
    const OVER: Next = Next::Over;

    fn status(status: u16) -> Outcome {
        Outcome::Status { status, retry_after: None }
    }

    fn send(from: u64) -> Next {
        Next::Go(Say::Send { from, to: WHOLE.min(from + PIECE) })
    }

    fn answer(outcome: &Outcome, received: Option<u64>) -> Answer<'_> {
        Answer { outcome, received, moved: false }
    }

    /// What follows from each answer of a receiver, up to the first that ends it.
    fn led_to(answers: &[(Outcome, Option<u64>)]) -> Vec<Next> {
        let mut conversation = Conversation::about(WHOLE);
        let mut next = Vec::new();
        for (outcome, received) in answers {
            next.push(conversation.answer(answer(outcome, *received), PIECE));
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
        let late = [(status(308), None), (status(200), Some(WHOLE))];
        assert_eq!(led_to(&late), [send(0), OVER], "what was thought lost came after all");
    }

    #[test]
    fn one_that_was_interrupted_before_its_end_can_finish() {
        let all = (status(308), Some(WHOLE));
        assert_eq!(led_to(&[all.clone(), (status(201), None)]), [send(WHOLE - 1), OVER]);
        assert_eq!(led_to(&[all.clone(), all]), [send(WHOLE - 1), Next::Broken(Breach::WantsMore)]);
    }

    #[test]
    fn a_receiver_that_knows_no_pieces_is_found_out() {
        let simple = [(status(200), None), (status(201), None)];
        assert_eq!(led_to(&simple), [send(0), Next::Broken(Breach::TakesAPartForAll)]);
        let small = Conversation::about(PIECE).answer(answer(&status(404), None), PIECE);
        assert_eq!(small, Next::Go(Say::Send { from: 0, to: PIECE }));
    }

    #[test]
    fn whatever_leads_nowhere_ends() {
        for (answers, end) in [
            (vec![(status(308), None), (status(308), None)], Next::Broken(Breach::KeepsNothing)),
            (vec![(status(308), Some(9)), (status(308), Some(9))], Next::Broken(Breach::KeepsNothing)),
            (vec![(status(308), None), (status(409), None)], Next::Broken(Breach::Conflict)),
            (vec![(status(409), None)], Next::Broken(Breach::Conflict)),
            (vec![(status(403), None)], OVER),
            (vec![(status(308), None), (status(507), None)], OVER),
            (vec![(Outcome::Unreachable, None)], OVER),
            (vec![(status(308), None), (Outcome::NoAnswer, None)], OVER),
        ] {
            assert_eq!(led_to(&answers).pop(), Some(end), "{answers:?}");
        }
    }

    #[test]
    fn a_redirect_is_no_answer_to_a_question() {
        let moved = Answer { outcome: &status(308), received: None, moved: true };
        assert_eq!(Conversation::about(WHOLE).answer(moved, PIECE), OVER);
        let has = Answer { received: Some(PIECE), ..moved };
        assert_eq!(Conversation::about(WHOLE).answer(has, PIECE), send(PIECE), "it says what it has all the same");
    }

    #[test]
    fn a_piece_that_is_too_large_is_made_smaller() {
        let too_large = (status(413), None);
        let half = Next::Go(Say::Send { from: 0, to: PIECE / 2 });
        assert_eq!(led_to(&[(status(308), None), too_large.clone(), too_large]), [send(0), half, OVER]);
    }

    #[test]
    fn it_is_asked_again_after_a_break_if_it_has_more_than_it_ever_had() {
        let (lost, has) = (Outcome::NoAnswer, |bytes| (status(308), Some(bytes)));
        let answers = [has(0), has(PIECE), (lost.clone(), None), has(2 * PIECE), (lost.clone(), None)];
        let said = [send(0), send(PIECE), Next::Go(Say::Ask), send(2 * PIECE), OVER];
        assert_eq!(led_to(&answers), said);
        // Another instance behind the same name, which knows nothing of the first one's disk.
        let none = (status(308), None);
        let forgets = [none.clone(), has(PIECE), (status(416), None), none, has(PIECE), (status(416), None)];
        assert_eq!(led_to(&forgets), [send(0), send(PIECE), Next::Go(Say::Ask), send(0), send(PIECE), OVER]);
    }

    fn any_answer() -> impl Strategy<Value = (Outcome, Option<u64>)> {
        let status = prop_oneof![Just(200_u16), Just(308), Just(404), Just(409), Just(413), Just(416), Just(503)];
        let outcome = prop_oneof![
            4 => status.prop_map(|status| Outcome::Status { status, retry_after: None }),
            1 => Just(Outcome::NoAnswer),
        ];
        (outcome, proptest::option::of(0..=WHOLE))
    }

    proptest! {
        #[test]
        fn delivered_is_only_what_arrived_as_a_whole(answers in proptest::collection::vec(any_answer(), 1..40)) {
            let mut conversation = Conversation::about(WHOLE);
            for (outcome, received) in answers {
                let said = conversation.said();
                match conversation.answer(answer(&outcome, received), PIECE) {
                    Next::Go(_) => {}
                    Next::Over if outcome.is_success() => {
                        let sent_the_last = matches!(said, Say::Send { to, .. } if to == WHOLE);
                        prop_assert!(sent_the_last || received == Some(WHOLE));
                        break;
                    }
                    Next::Over | Next::Broken(_) => break,
                }
            }
        }

        /// However a receiver goes on for ever.
        #[test]
        fn it_ends(circle in proptest::collection::vec(any_answer(), 1..6)) {
            let mut conversation = Conversation::about(WHOLE);
            let requests = circle.iter().cycle().take(1000);
            let ends = requests.map(|(outcome, received)| conversation.answer(answer(outcome, *received), PIECE));
            prop_assert!(!ends.into_iter().all(|next| matches!(next, Next::Go(_))));
        }
    }
}
