//! What a machine of `gate = "motion"` must look at, and what it may pass over.
//!
//! Owns what moved since the machine's last check; refuses to know how movement is seen (`gate`, by way of
//! [`Frame::motion`](crate::frame::Frame)) and what the condition makes of a check. Plain data, on the watch thread.
//!
//! A check is passed over only where it would say the same as the one before: nothing has moved since that one, it got an
//! answer, and the machine is not in the middle of making up its mind.

use std::time::Duration;

use crate::frame::{Frame, Motion};
use crate::time::Mono;

/// A model that neither says yes nor no is asked again for so long after the last movement. Of a picture in which nothing
/// moves it will go on to say the same, and a parked car that looks a little like a van must not keep a camera awake.
const MAKES_UP_ITS_MIND: Duration = Duration::from_secs(10);

/// What one machine has seen.
#[derive(Debug)]
pub struct Attention {
    /// A still picture is checked so long after the last check; None: every picture is, whatever moves.
    recheck: Option<Duration>,
    /// Something may have moved since the last check that was answered.
    stirred: bool,
    /// When something last moved.
    moved: Mono,
    /// When the frame of the last check arrived.
    checked: Mono,
    /// Of the last frame.
    connection: Option<u64>,
    /// The last frame showed what is always there.
    still: bool,
    /// The last answer was neither yes nor no.
    unsure: bool,
}

impl Attention {
    /// Nothing has been seen yet.
    pub fn new(recheck: Option<Duration>) -> Attention {
        Attention {
            recheck,
            stirred: true,
            moved: Mono(0),
            checked: Mono(0),
            connection: None,
            still: true,
            unsure: false,
        }
    }

    /// A frame came, whether it is due or not.
    pub fn witness(&mut self, frame: &Frame) {
        let another = self.connection.replace(frame.connection) != Some(frame.connection);
        let was_still = std::mem::replace(&mut self.still, frame.motion == Motion::Still);
        // What was there and is gone has moved, too: the first picture without it says something else.
        if another || !was_still || !self.still {
            self.stirred = true;
            self.moved = self.moved.max(frame.arrived.mono);
        }
    }

    /// Whether a frame of then would only say again what the last one said.
    pub fn passes_over(&self, arrived: Mono) -> bool {
        let Some(recheck) = self.recheck else { return false };
        !self.stirred && !self.is_unsure() && arrived.since(self.checked) < recheck
    }

    /// A frame of then is being checked.
    pub fn checks(&mut self, arrived: Mono) {
        (self.stirred, self.checked) = (false, arrived);
    }

    /// A check ended without an answer: it doesn't count.
    pub fn learned_nothing(&mut self) {
        self.stirred = true;
    }

    /// A check was answered, clearly or not.
    pub fn answered(&mut self, clearly: bool) {
        self.unsure = !clearly;
    }

    /// Whether the next checks may say something else although nothing moves.
    pub fn is_unsure(&self) -> bool {
        self.unsure && self.checked.since(self.moved) < MAKES_UP_ITS_MIND
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Color, Matrix, PixelFormat};
    use crate::time::Now;

    fn frame(seconds: u64, motion: Motion) -> Frame {
        let pts = Duration::from_secs(seconds);
        Frame {
            width: 0,
            height: 0,
            format: PixelFormat::I420,
            color: Color { matrix: Matrix::Bt601, full_range: false },
            planes: Vec::new(),
            arrived: Now::in_clip(pts),
            pts,
            connection: 1,
            motion,
        }
    }

    /// Whether the frame is checked; it is answered clearly.
    fn sees(attention: &mut Attention, frame: &Frame) -> bool {
        attention.witness(frame);
        let looks = !attention.passes_over(frame.arrived.mono);
        if looks {
            attention.checks(frame.arrived.mono);
            attention.answered(true);
        }
        looks
    }

    #[test]
    fn still_frames_are_passed_over_until_the_recheck() {
        let mut attention = Attention::new(Some(Duration::from_secs(30)));
        let looks: Vec<u64> = (0..70).filter(|at| sees(&mut attention, &frame(*at, Motion::Still))).collect();
        assert_eq!(looks, [0, 30, 60], "the first of a connection, and then once in 30 s");
        assert!(sees(&mut attention, &frame(71, Motion::Moved)));
        assert!(sees(&mut attention, &frame(72, Motion::Unknown)));
        assert!(sees(&mut attention, &frame(73, Motion::SleptThrough)));
        assert!(sees(&mut attention, &frame(74, Motion::Still)));
        assert!(!sees(&mut attention, &frame(75, Motion::Still)));
        assert!(sees(&mut attention, &Frame { connection: 2, ..frame(76, Motion::Still) }), "another connection");
    }

    /// Who leaves between two checks leaves what is always there behind: nothing moves in it, but the last answer is wrong.
    #[test]
    fn what_is_gone_is_noticed() {
        let mut attention = Attention::new(Some(Duration::from_secs(30)));
        let somebody = [Motion::Still, Motion::Moved, Motion::Moved, Motion::Still, Motion::Still];
        let looks =
            (0..).zip(somebody).map(|(at, motion)| sees(&mut attention, &frame(at, motion))).collect::<Vec<_>>();
        assert_eq!(looks, [true, true, true, true, false]);
    }

    #[test]
    fn without_a_gate_everything_is_checked() {
        let mut attention = Attention::new(None);
        assert!((0..50).all(|at| sees(&mut attention, &frame(at, Motion::Still))));
    }

    #[test]
    fn what_moved_between_two_checks_is_not_forgotten() {
        let mut attention = Attention::new(Some(Duration::from_secs(30)));
        assert!(sees(&mut attention, &frame(0, Motion::Still)));
        attention.witness(&frame(1, Motion::Moved));
        assert!(sees(&mut attention, &frame(2, Motion::Still)));
        assert!(!sees(&mut attention, &frame(3, Motion::Still)));
    }

    #[test]
    fn a_check_without_an_answer_does_not_count() {
        let mut attention = Attention::new(Some(Duration::from_secs(30)));
        assert!(sees(&mut attention, &frame(0, Motion::Still)));
        attention.learned_nothing();
        assert!(sees(&mut attention, &frame(1, Motion::Still)));
    }

    #[test]
    fn a_model_in_doubt_is_asked_again_for_a_while() {
        let mut attention = Attention::new(Some(Duration::from_secs(30)));
        attention.witness(&frame(0, Motion::Moved));
        for at in 0..=10 {
            assert!(!attention.passes_over(Mono(at * 1_000_000_000)), "{at}");
            attention.checks(Mono(at * 1_000_000_000));
            attention.answered(false);
        }
        assert!(attention.passes_over(Mono(11_000_000_000)));
    }
}
