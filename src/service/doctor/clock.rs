//! Checks the clock, because certificates and tokens are valid for a limited time.

use jiff::{SignedDuration, Timestamp};

use super::{Finding, State};
use crate::registry::Reached;
use crate::store::Metadata;

/// A larger difference cannot be network delay.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Compares the clock with the time that registries report and with what is
/// installed.
pub(super) fn check_clock(reached: &[Reached], installed: &[Metadata]) -> Finding {
    let mut dates = reached.iter().filter_map(|one| Some((one, one.date?)));
    if let Some((one, date)) = dates.find(|(one, date)| off(*date, one.at) > TOLERANCE) {
        let found = format!("`{}` says it is {date}", one.host);
        return Finding::problem("clock", found).advise("set the clock of this machine");
    }
    let newest = installed.iter().map(|metadata| metadata.created_at).max();
    if let Some(newest) = newest
        && newest.duration_since(Timestamp::now()) > TOLERANCE
    {
        let found = format!("a component was installed in the future, {newest}");
        return Finding::new("clock", State::Warning, found)
            .advise("check the clock of this machine");
    }
    Finding::ok(
        "clock",
        Timestamp::now().strftime("%F %H:%M:%SZ").to_string(),
    )
}

fn off(one: Timestamp, other: Timestamp) -> SignedDuration {
    one.duration_since(other).abs()
}
