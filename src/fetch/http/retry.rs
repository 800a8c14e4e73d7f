//! When to try again, and after how long.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};

use super::Meter;
use crate::fetch::FetchOptions;

/// Whether a status speaks of a state that may pass.
pub(super) fn may_pass(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// Whether the faults of a host are waited out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::fetch) enum Persistence {
    /// They are not: another host can be asked instead.
    Once,
    #[default]
    Patient,
}

/// How often, and after which pauses, one thing is tried again.
pub(in crate::fetch) struct Patience<'a> {
    options: &'a FetchOptions,
    meter: &'a Meter,
    retries: u32,
    left: u32,
    pause: Duration,
}

impl<'a> Patience<'a> {
    pub fn new(options: &'a FetchOptions, meter: &'a Meter, persistence: Persistence) -> Self {
        let retries = match persistence {
            Persistence::Once => 0,
            Persistence::Patient => options.retries,
        };
        Patience {
            options,
            meter,
            retries,
            left: retries,
            pause: options.retry_base,
        }
    }

    pub fn is_over(&self) -> bool {
        self.left == 0
    }

    /// Starts anew, where much was achieved since.
    pub fn restore(&mut self) {
        self.left = self.retries;
        self.pause = self.options.retry_base;
    }

    /// Pauses before the next attempt, for as long as the server `asked` if
    /// that is sensible.
    pub async fn pause(&mut self, asked: Option<Duration>) {
        let pause = self.next(asked);
        self.meter.count_retry();
        tracing::info!(ms = pause.as_millis(), "trying again after a pause");
        tokio::time::sleep(pause).await;
    }

    fn next(&mut self, asked: Option<Duration>) -> Duration {
        let own = jittered(self.pause);
        self.left = self.left.saturating_sub(1);
        self.pause = self.pause.saturating_mul(2).min(self.options.retry_max);
        asked
            .map_or(own, |asked| asked.max(own))
            .min(self.options.retry_max)
    }
}

/// Between half of the pause and all of it, so that many clients do not come
/// back at the same moment.
fn jittered(pause: Duration) -> Duration {
    // Each of these has random keys of its own.
    let random = RandomState::new().hash_one(0_u8) % 1000;
    let half = pause / 2;
    half + half.mul_f64(random as f64 / 1000.0)
}

/// The pause a server asks for ([`Retry-After`][spec], in seconds or as a
/// date); what cannot be read or has passed asks for none.
///
/// [spec]: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
pub(super) fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    read(text, SystemTime::now())
}

fn read(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a very long time.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let now = httpdate::parse_http_date(date).expect("a date") - Duration::from_secs(90);
        for (text, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999999999", Some(u64::MAX)),
            (date, Some(90)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(90)),
            ("Sun, 06 Nov 1960 08:49:37 GMT", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(read(text, now), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let options = FetchOptions::default();
        let meter = Meter::default();
        let mut patience = Patience::new(&options, &meter, Persistence::Patient);
        for (asked, least, most) in [(None, 1, 2), (Some(1), 2, 4), (Some(u64::MAX), 60, 60)] {
            assert!(!patience.is_over());
            let pause = patience.next(asked.map(Duration::from_secs));
            assert!(pause >= Duration::from_secs(least), "{pause:?}");
            assert!(pause <= Duration::from_secs(most), "{pause:?}");
        }
        assert!(patience.is_over());
        patience.restore();
        assert!(!patience.is_over());
        let mut hasty = Patience::new(&options, &meter, Persistence::Once);
        assert!(hasty.is_over());
        hasty.restore();
        assert!(hasty.is_over());
    }
}
