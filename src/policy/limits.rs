//! Resource limits of a component.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::error::InvalidPermission;
use super::quantity;

/// A CPU share in thousandths of one processor; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuShare(u32);

impl CpuShare {
    /// The largest share, 1024 processors: in effect no limit.
    pub const MOST: CpuShare = CpuShare(quantity::MOST_CPU);

    pub fn millicores(self) -> u32 {
        self.0
    }
}

impl FromStr for CpuShare {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        quantity::parse_cpu(text).map(CpuShare)
    }
}

impl fmt::Display for CpuShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quantity::format_cpu(self.0))
    }
}

/// The limits that a policy sets. For `None`, the server's default applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory of one instance.
    pub memory: Option<u64>,
    /// Highest CPU time of a call, divided by its wall time.
    pub cpu: Option<CpuShare>,
    /// Longest wall time of one call.
    pub time: Option<Duration>,
    /// Most concurrent calls.
    pub instances: Option<u32>,
    /// Bytes of a result, and separately of the text that the guest prints during a call.
    pub output: Option<u64>,
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitRule {
    /// In bytes.
    Memory(u64),
    Cpu(CpuShare),
    Time(Duration),
    Instances(u32),
    /// In bytes.
    Output(u64),
}

impl Limits {
    /// Returns the limits that are set.
    pub fn rules(&self) -> impl Iterator<Item = LimitRule> {
        [
            self.memory.map(LimitRule::Memory),
            self.cpu.map(LimitRule::Cpu),
            self.time.map(LimitRule::Time),
            self.instances.map(LimitRule::Instances),
            self.output.map(LimitRule::Output),
        ]
        .into_iter()
        .flatten()
    }

    /// Sets the limit of this kind.
    pub fn set(&mut self, rule: LimitRule) {
        match rule {
            LimitRule::Memory(bytes) => self.memory = Some(bytes),
            LimitRule::Cpu(share) => self.cpu = Some(share),
            LimitRule::Time(time) => self.time = Some(time),
            LimitRule::Instances(count) => self.instances = Some(count),
            LimitRule::Output(bytes) => self.output = Some(bytes),
        }
    }

    /// Unsets the limit of this kind, whatever value `rule` has.
    pub fn unset(&mut self, rule: LimitRule) {
        match rule {
            LimitRule::Memory(_) => self.memory = None,
            LimitRule::Cpu(_) => self.cpu = None,
            LimitRule::Time(_) => self.time = None,
            LimitRule::Instances(_) => self.instances = None,
            LimitRule::Output(_) => self.output = None,
        }
    }

    /// Returns these limits, with those of `other` where none is set.
    pub fn or(&self, other: &Limits) -> Limits {
        Limits {
            memory: self.memory.or(other.memory),
            cpu: self.cpu.or(other.cpu),
            time: self.time.or(other.time),
            instances: self.instances.or(other.instances),
            output: self.output.or(other.output),
        }
    }

    /// Whether a limit of the same kind is set and is at least as high.
    pub fn covers(&self, asked: LimitRule) -> bool {
        match asked {
            LimitRule::Memory(bytes) => self.memory >= Some(bytes),
            LimitRule::Cpu(share) => self.cpu >= Some(share),
            LimitRule::Time(time) => self.time >= Some(time),
            LimitRule::Instances(count) => self.instances >= Some(count),
            LimitRule::Output(bytes) => self.output >= Some(bytes),
        }
    }
}

impl LimitRule {
    /// Returns the key of the limit in a policy.
    pub fn key(&self) -> &'static str {
        match self {
            LimitRule::Memory(_) => "memory",
            LimitRule::Cpu(_) => "cpu",
            LimitRule::Time(_) => "time",
            LimitRule::Instances(_) => "instances",
            LimitRule::Output(_) => "output",
        }
    }

    /// Returns the value in policy syntax.
    pub fn value(&self) -> String {
        match self {
            LimitRule::Memory(bytes) | LimitRule::Output(bytes) => quantity::format_size(*bytes),
            LimitRule::Cpu(share) => share.to_string(),
            LimitRule::Time(time) => quantity::format_duration(*time),
            LimitRule::Instances(count) => count.to_string(),
        }
    }

    /// Parses a limit from its key and value, such as `memory` and `512Mi`.
    pub fn parse(key: &str, value: &str) -> Result<Self, InvalidPermission> {
        match key {
            "memory" => quantity::parse_size(value).map(LimitRule::Memory),
            "cpu" => value.parse().map(LimitRule::Cpu),
            "time" => quantity::parse_duration(value).map(LimitRule::Time),
            "instances" => parse_count(value).map(LimitRule::Instances),
            "output" => quantity::parse_size(value).map(LimitRule::Output),
            _ => Err(InvalidPermission::new(
                "a limit",
                key,
                "the limits are memory, cpu, time, instances and output",
            )),
        }
    }
}

fn parse_count(text: &str) -> Result<u32, InvalidPermission> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(count) if digits && count > 0 => Ok(count),
        _ => Err(InvalidPermission::new(
            "a number of instances",
            text,
            "a whole number from 1",
        )),
    }
}
