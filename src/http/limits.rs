//! What clients of the HTTP server may use up together.

use std::time::Duration;

/// Limits that hold for all clients together, or for each of something.
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Connections at once. When all are taken, a new one takes the place of
    /// one that is idle.
    pub connections: usize,
    /// Sessions that each of the transports may have open, and as many streams
    /// of them.
    pub sessions: usize,
    /// How long a session may be silent in both directions.
    ///
    /// Long enough for an agent to be left alone overnight: many clients do
    /// not begin a new session when theirs is gone.
    pub session_idle: Duration,
    /// Requests being worked on; more are answered with 503.
    pub requests: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of memory for what requests of more than 4 KiB become when they
    /// are parsed, all together.
    pub request_memory: usize,
    /// Bytes of answers that clients have not read yet, all together; results of
    /// as many may wait besides. Beyond it, calls wait before they begin.
    pub answer_memory: usize,
    /// Requests for what is shared among those worked on.
    pub downloads: usize,
    /// How long a request's body may take to arrive.
    pub body_time: Duration,
    /// Bytes of a request's headers.
    pub header_bytes: usize,
    /// How long a request's headers may take to arrive, and how long a
    /// connection may be idle between requests.
    pub header_time: Duration,
    /// How long a client may take nothing of what it is sent.
    pub stall: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        HttpLimits {
            connections: 4096,
            sessions: 1024,
            session_idle: Duration::from_secs(24 * 60 * 60),
            requests: 1024,
            body_bytes: 4 * 1024 * 1024,
            request_memory: 256 * 1024 * 1024,
            answer_memory: 128 * 1024 * 1024,
            downloads: 256,
            body_time: Duration::from_secs(60),
            header_bytes: 32 * 1024,
            header_time: Duration::from_secs(30),
            stall: Duration::from_secs(60),
        }
    }
}
