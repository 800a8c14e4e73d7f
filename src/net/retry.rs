//! Retry policy: which failures are retried, how often, and after which pause.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};

use super::{Meter, Options};

/// Whether a status means a temporary failure.
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

/// Whether temporary failures of a host are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RetryMode {
    /// No retries, because another host can be asked instead.
    Once,
    #[default]
    Repeat,
}

/// The reason for a retry.
pub(crate) struct Retry<'a> {
    /// `host[:port]`.
    pub host: &'a str,
    pub reason: &'a str,
    /// The server's `Retry-After`.
    pub after: Option<Duration>,
}

/// The remaining retries of one operation, and the next pause.
pub(crate) struct RetryBudget<'a> {
    options: &'a Options,
    meter: &'a Meter,
    retries: u32,
    left: u32,
    pause: Duration,
}

impl<'a> RetryBudget<'a> {
    pub fn new(options: &'a Options, meter: &'a Meter, mode: RetryMode) -> Self {
        let retries = match mode {
            RetryMode::Once => 0,
            RetryMode::Repeat => options.retries,
        };
        RetryBudget {
            options,
            meter,
            retries,
            left: retries,
            pause: options.retry_base,
        }
    }

    /// Whether no retries are left.
    pub fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Restores all retries and the first pause, after progress since the last
    /// failure.
    pub fn restore(&mut self) {
        self.left = self.retries;
        self.pause = self.options.retry_base;
    }

    /// Logs the retry and its reason, uses up one retry, and sleeps.
    pub async fn pause(&mut self, retry: Retry<'_>) {
        let pause = self.next(retry.after);
        self.meter.count_retry();
        // Warn, so that a waiting user sees the reason.
        tracing::warn!(
            "`{}`: {}{}; retry {} of {} in {:.1} s",
            retry.host,
            retry.reason,
            self.too_long(retry.after),
            self.retries - self.left,
            self.retries,
            pause.as_secs_f32()
        );
        tokio::time::sleep(pause).await;
    }

    /// Says that the host asks for a longer pause than is made.
    fn too_long(&self, asked: Option<Duration>) -> String {
        let asked = asked.filter(|asked| *asked > self.options.retry_max);
        asked.map_or_else(String::new, |asked| {
            format!(
                " and asks for a pause of {} s, more than `retry_max_ms` allows",
                asked.as_secs()
            )
        })
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

/// A random time between half the pause and the whole, so that many clients do
/// not retry at the same moment.
fn jittered(pause: Duration) -> Duration {
    // Each `RandomState` has its own random keys.
    let random = RandomState::new().hash_one(0_u8) % 1000;
    let half = pause / 2;
    half + half.mul_f64(random as f64 / 1000.0)
}

/// The pause that the server asks for ([`Retry-After`][spec], in seconds or as
/// a date); `None` if it cannot be parsed or the date has passed.
///
/// [spec]: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
pub(super) fn after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    read(text, SystemTime::now())
}

fn read(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Overflow means a very long time.
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
        let options = Options::default();
        let meter = Meter::default();
        let mut budget = RetryBudget::new(&options, &meter, RetryMode::Repeat);
        for (asked, least, most) in [(None, 1, 2), (Some(1), 2, 4), (Some(u64::MAX), 60, 60)] {
            assert!(!budget.is_spent());
            let pause = budget.next(asked.map(Duration::from_secs));
            assert!(pause >= Duration::from_secs(least), "{pause:?}");
            assert!(pause <= Duration::from_secs(most), "{pause:?}");
        }
        assert!(budget.is_spent());
        let told = |seconds| budget.too_long(Some(Duration::from_secs(seconds)));
        assert_eq!(told(60), "");
        assert!(told(100_000).contains("a pause of 100000 s"));
        budget.restore();
        assert!(!budget.is_spent());
        let mut hasty = RetryBudget::new(&options, &meter, RetryMode::Once);
        assert!(hasty.is_spent());
        hasty.restore();
        assert!(hasty.is_spent());
    }
}
