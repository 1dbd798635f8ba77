//! Which deliveries are meant: the words of queries and orders, read once for listings, orders and the CLI.
//!
//! Owns their names, what they may say, and the messages about what they may not; refuses to know SQL and HTTP.

use super::refusal::Refusal;
use crate::config::{closest, parse_duration, quoted};
use crate::delivery::{DeadReason, HoldReason, State};
use crate::journal::DeliveryFilter;
use crate::name::Name;
use crate::time::{Now, Wall};

/// Which deliveries. All conditions must hold; the default means all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Which {
    /// Only in this state.
    pub(super) state: Option<String>,
    /// Only held or dead for this reason.
    pub(super) reason: Option<String>,
    /// Only to this endpoint.
    pub(super) endpoint: Option<Name>,
    /// Only those accepted then or later: RFC 3339, or how long ago (`2h`).
    pub(super) since: Option<String>,
    /// Only those accepted before: as `since`.
    pub(super) until: Option<String>,
}

impl Which {
    /// As the journal is asked, `limit` rows behind `after`.
    ///
    /// # Errors
    /// An unknown state or reason, a time that is none, a range that ends before it begins.
    pub(super) fn filter(&self, now: Now, after: i64, limit: u32) -> Result<DeliveryFilter, Refusal> {
        let moment =
            |name: &str, text: &Option<String>| text.as_deref().map(|text| moment(name, text, now)).transpose();
        let (since, until) = (moment("since", &self.since)?, moment("until", &self.until)?);
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            let error = "`since` is not before `until`: nothing lies between them";
            return Err(Refusal::bad_request(
                error,
                "exchange them: `since` is the earlier one, `2h` is earlier than `1h`",
            ));
        }
        let owed = self.state.as_deref() == Some(OWED);
        Ok(DeliveryFilter {
            state: self.state.as_deref().filter(|_| !owed).map(state).transpose()?,
            owed,
            reason: self.reason.as_deref().map(reason).transpose()?,
            endpoint: self.endpoint.clone(),
            since,
            until,
            after,
            limit,
        })
    }

    /// The same where only dead letters are meant.
    ///
    /// # Errors
    /// As above, and a state that no dead letter is in.
    pub(super) fn dead_filter(&self, now: Now, after: i64, limit: u32) -> Result<DeliveryFilter, Refusal> {
        let filter = self.filter(now, after, limit)?;
        let alive = match filter.state {
            _ if filter.owed => Some(OWED),
            state => state.filter(|state| !state.is_dead_letter()).map(State::as_str),
        };
        let Some(alive) = alive else { return Ok(filter) };
        let dead = State::ALL.into_iter().filter(|state| state.is_dead_letter()).map(State::as_str);
        let error = format!("a dead letter is never `{alive}`");
        Err(Refusal::bad_request(error, format!("dead letters are {}", quoted(dead))))
    }
}

/// In the place of a state: whatever is still owed, `pending`, `retry_wait` or `held`.
const OWED: &str = "owed";

fn state(text: &str) -> Result<State, Refusal> {
    State::parse(text).ok_or_else(|| unknown("state", text, &states()))
}

/// What can be asked of a delivery's state: each of them, and `owed`.
pub fn states() -> Vec<&'static str> {
    State::ALL.map(State::as_str).into_iter().chain([OWED]).collect()
}

fn reason(text: &str) -> Result<String, Refusal> {
    let known = reasons();
    match known.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(unknown("reason", text, &known)),
    }
}

/// Why a delivery can be dead or held.
pub fn reasons() -> Vec<&'static str> {
    DeadReason::ALL.map(DeadReason::as_str).into_iter().chain(HoldReason::ALL.map(HoldReason::as_str)).collect()
}

fn unknown(what: &str, text: &str, known: &[&str]) -> Refusal {
    let meant = closest(text, known.iter().copied()).map(|word| format!("did you mean `{word}`? ")).unwrap_or_default();
    let hint = format!("{meant}known are {}", quoted(known.iter().copied()));
    Refusal::bad_request(format!("unknown {what} `{text}`"), hint)
}

/// `2026-11-21T05:00:00Z`, or `2h` for two hours before `now`; None for anything else.
pub fn parse_moment(text: &str, now: Now) -> Option<Wall> {
    match parse_duration(text) {
        Some(ago) => Some(now.wall.minus(ago)),
        None => text.parse().ok().map(|at: jiff::Timestamp| Wall(at.as_millisecond())),
    }
}

fn moment(name: &str, text: &str, now: Now) -> Result<Wall, Refusal> {
    parse_moment(text, now).ok_or_else(|| {
        let error = format!("`{name}` is neither a time nor a duration: `{text}`");
        Refusal::bad_request(
            error,
            "for example `2026-11-21T05:00:00Z`, or `2h` for two hours ago (`s`, `m`, `h`, `d`)",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn now() -> Now {
        Now::in_clip(Duration::from_secs(10_000))
    }

    fn refused(which: Which) -> (String, String) {
        let Refusal { error, hint, .. } = which.dead_filter(now(), 0, 1).unwrap_err();
        (error, hint)
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn times_are_moments_or_how_long_ago() {
        let which = Which { since: text("2h"), until: text("1970-01-01T02:00:00+00:00"), ..Which::default() };
        let filter = which.filter(now(), 7, 9).unwrap();
        assert_eq!((filter.since, filter.until), (Some(Wall(2_800_000)), Some(Wall(7_200_000))));
        assert_eq!((filter.after, filter.limit), (7, 9));
        let long_ago = Which { since: text("10000000000d"), ..Which::default() };
        assert!(long_ago.filter(now(), 0, 1).unwrap().since.unwrap() < Wall(0));
    }

    #[test]
    fn what_is_owed_is_no_state_but_can_be_asked_for() {
        let asked = |state| Which { state: text(state), ..Which::default() }.filter(now(), 0, 1).unwrap();
        assert_eq!((asked("owed").state, asked("owed").owed), (None, true));
        assert_eq!((asked("held").state, asked("held").owed), (Some(State::Held), false));
    }

    #[test]
    fn what_makes_no_sense_is_said_exactly() {
        assert_eq!(
            refused(Which { reason: text("exausted"), ..Which::default() }),
            (
                "unknown reason `exausted`".to_owned(),
                "did you mean `exhausted`? known are `exhausted`, `rejected`, `too_large`, `config`, `poison`, \
                 `dropped_by_hand`, `clip_gone`, `offline`, `endpoint_down`, `throttled`, `clock`, `paused`"
                    .to_owned()
            )
        );
        assert_eq!(
            refused(Which { since: text("yesterday"), ..Which::default() }),
            (
                "`since` is neither a time nor a duration: `yesterday`".to_owned(),
                "for example `2026-11-21T05:00:00Z`, or `2h` for two hours ago (`s`, `m`, `h`, `d`)".to_owned()
            )
        );
        assert_eq!(
            refused(Which { since: text("1h"), until: text("2h"), ..Which::default() }).0,
            "`since` is not before `until`: nothing lies between them"
        );
        assert_eq!(refused(Which { state: text("owed"), ..Which::default() }).0, "a dead letter is never `owed`");
        assert_eq!(
            refused(Which { state: text("held"), ..Which::default() }),
            (
                "a dead letter is never `held`".to_owned(),
                "dead letters are `dead`, `expired`, `dropped_quota`, `skipped_gone`".to_owned()
            )
        );
    }
}
