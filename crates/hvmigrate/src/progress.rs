//! Shows on standard error how far the engine is: where a person looks at a terminal a bar for the disk at hand and one
//! for all of it, elsewhere a plain line after each step and every few seconds.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use hvm_engine::{Observer, PasswordError, PasswordWanted, Secret, Stage};
use hvm_model::names::ByteSize;
use hvm_model::plan::Step;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::password::PasswordsArgs;
use crate::output;
use crate::render::words::{duration, rate};

/// Time between two plain lines.
const PAUSE: Duration = Duration::from_secs(5);

const BYTES: &str = "  {msg:40!} {bar:24} {bytes:>11} of {total_bytes:<11} {bytes_per_sec:>13}  {eta:>4} left";
const STEPS: &str = "  {msg:40!} {bar:24} {pos:>11} of {len:<11} {elapsed:>13}";

/// What is shown while the engine works.
pub struct Progress {
    bars: MultiProgress,
    moving: bool,
    password: PasswordsArgs,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    verb: String,
    total: usize,
    steps: Option<ProgressBar>,
    bytes: Option<Bytes>,
}

struct Bytes {
    subject: String,
    bar: ProgressBar,
    total: u64,
    done: u64,
    started: Instant,
    said: Instant,
}

impl Progress {
    /// Bars on a terminal, lines elsewhere.
    pub fn new() -> Progress {
        let moving = output::stderr_is_terminal();
        let bars = MultiProgress::with_draw_target(match moving {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        });
        Progress { bars, moving, password: PasswordsArgs::default(), state: RefCell::default() }
    }

    /// The same for a verb that may have to know the password of a host.
    pub fn asking(password: impl Into<PasswordsArgs>) -> Progress {
        Progress { password: password.into(), ..Progress::new() }
    }

    /// Takes the bars away.
    pub fn end(&self) {
        let mut state = self.state.borrow_mut();
        if let Some(bytes) = state.bytes.take() {
            bytes.bar.finish_and_clear();
        }
        if let Some(steps) = state.steps.take() {
            steps.finish_and_clear();
        }
    }

    fn say(&self, line: &str) {
        if self.moving {
            // With a closed standard error there is nobody to tell.
            let _ = self.bars.println(line);
        } else {
            output::note(line);
        }
    }

    fn bar(&self, total: u64, template: &str, message: &str) -> ProgressBar {
        let style = ProgressStyle::with_template(template).expect("the template is a constant that a test draws");
        let bar = self.bars.add(ProgressBar::new(total).with_style(style.progress_chars("#>-")));
        bar.set_message(message.to_owned());
        bar
    }
}

impl Observer for Progress {
    fn steps(&self, verb: &str, total: usize) {
        let bar = self.bar(total as u64, STEPS, &format!("{verb}, all steps"));
        let mut state = self.state.borrow_mut();
        state.total = total;
        state.verb = verb.to_owned();
        if let Some(old) = state.steps.replace(bar) {
            old.finish_and_clear();
        }
    }

    fn step_done(&self, number: usize, step: &Step, seconds: f64) {
        let told = {
            let state = self.state.borrow();
            format!("{} {number} of {}", state.verb, state.total)
        };
        self.say(&format!("[{told}] {}: {}", step.title, duration(seconds)));
        if let Some(bar) = &self.state.borrow().steps {
            bar.set_position(number as u64);
        }
    }

    fn bytes_started(&self, subject: &str, stage: Stage, total: u64) {
        let message = format!("{} {}", doing(stage), output::one_line(subject));
        let bar = self.bar(total, BYTES, &message);
        let now = Instant::now();
        let bytes = Bytes { subject: message, bar, total, done: 0, started: now, said: now };
        if let Some(old) = self.state.borrow_mut().bytes.replace(bytes) {
            old.bar.finish_and_clear();
        }
    }

    fn bytes_advanced(&self, bytes: u64) {
        let mut state = self.state.borrow_mut();
        let Some(now) = &mut state.bytes else { return };
        now.done += bytes;
        now.bar.set_position(now.done);
        if !self.moving && now.said.elapsed() >= PAUSE {
            now.said = Instant::now();
            output::note(&now.line());
        }
    }

    fn bytes_finished(&self) {
        if let Some(bytes) = self.state.borrow_mut().bytes.take() {
            bytes.bar.finish_and_clear();
        }
    }

    fn note(&self, text: &str) {
        self.say(&format!("Note: {}", output::one_line(text)));
    }

    fn password(&self, wanted: &PasswordWanted) -> Result<Option<Secret>, PasswordError> {
        self.password.password(wanted)
    }
}

impl Bytes {
    fn line(&self) -> String {
        let speed = self.done as f64 / self.started.elapsed().as_secs_f64();
        let left = (self.total.saturating_sub(self.done)) as f64 / speed;
        let (done, total) = (ByteSize(self.done), ByteSize(self.total));
        format!("{}: {done} of {total} at {}, {} left", self.subject, rate(speed), duration(left))
    }
}

fn doing(stage: Stage) -> &'static str {
    match stage {
        Stage::Copying => "copying",
        Stage::ReadingBack => "reading back",
        Stage::Hashing => "hashing",
        Stage::Checking => "checking",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_follow_the_engine() {
        let progress = Progress::new();
        progress.steps("migrate", 3);
        progress.bytes_started("disk {x} %", Stage::Copying, 100);
        progress.bytes_advanced(40);
        let line = progress.state.borrow().bytes.as_ref().map(Bytes::line).unwrap();
        assert!(line.starts_with("copying disk {x} %: 40 B of 100 B at "), "{line}");
        progress.bytes_finished();
        progress.bytes_advanced(1);
        assert!(progress.state.borrow().bytes.is_none());
        progress.end();
        assert!(progress.state.borrow().steps.is_none());
    }
}
