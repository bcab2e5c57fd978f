//! Small pieces of wording that text and HTML share.

use hvm_model::finding::Level;
use hvm_model::plan::Verdict;
use hvm_model::record::Event;

/// Seconds as people say them: `0.4 s`, `3 min 20 s`, `2 h 05 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".to_owned();
    }
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A rate in bytes a second.
pub fn rate(bytes_per_second: f64) -> String {
    if bytes_per_second.is_finite() && bytes_per_second >= 1.0 {
        format!("{}/s", hvm_model::names::ByteSize(bytes_per_second as u64))
    } else {
        "unknown".to_owned()
    }
}

/// `1 machine`, `2 machines`.
pub fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// What a level means for the operator.
pub fn level_meaning(level: Level) -> &'static str {
    match level {
        Level::Blocks => "not migrated until you answer",
        Level::Manual => "a person has to do something",
        Level::Warns => "may go wrong, or against a best practice",
        Level::Notes => "automatic, but worth knowing",
    }
}

/// One word for a verdict.
pub fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Migrate => "migrates",
        Verdict::Blocked { .. } => "blocked",
        Verdict::Excluded => "left out",
    }
}

/// An event of the journal in one line.
pub fn event(event: &Event) -> String {
    match event {
        Event::Planned { plan } => format!("planned ({})", plan.get(..12).unwrap_or(plan)),
        Event::Begin { step, .. } => format!("began {step}"),
        Event::Done { step, evidence } => format!("did {step} in {}", duration(evidence.seconds)),
        Event::Failed { step, error } => format!("failed {step}: {error}"),
        Event::Confirmed { step, by } => format!("{by} confirmed {step}"),
        Event::Undone { step, removed, left } => {
            format!("undid {step}: {} removed, {} left", removed.len(), left.len())
        }
        Event::Verified { checks, differences } => format!("verified: {checks} checks, {differences} differences"),
        Event::PhaseEnded { verb } => format!("{verb} ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_speech() {
        let cases = [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 05 min")];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(duration(f64::NAN), "unknown");
        assert_eq!((count(1, "disk"), count(0, "disk")), ("1 disk".to_owned(), "0 disks".to_owned()));
        assert_eq!((rate(f64::INFINITY), rate(1048576.0)), ("unknown".to_owned(), "1 MiB/s".to_owned()));
    }
}
