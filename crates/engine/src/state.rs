//! What the journal says: the state of each step of the present plan, and which files and folders of the destination
//! this migration made. The second outlives a plan: what a rollback kept is still ours.

use std::collections::BTreeMap;

use hvm_model::record::{Artifact, Event, Evidence, Record};

/// State of a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StepProgress {
    Begun,
    Done(Evidence),
    Confirmed,
    Failed,
    Undone,
}

impl StepProgress {
    /// True when the step need not be performed again.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self, StepProgress::Done(_) | StepProgress::Confirmed)
    }

    /// One word, as reports show it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            StepProgress::Begun => "begun",
            StepProgress::Done(_) => "done",
            StepProgress::Confirmed => "confirmed",
            StepProgress::Failed => "failed",
            StepProgress::Undone => "undone",
        }
    }
}

/// Everything that follows from the records.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    /// Hash of the present plan.
    pub(crate) plan: Option<String>,
    /// Steps of the present plan that something is recorded of.
    pub(crate) steps: BTreeMap<String, StepProgress>,
    /// Files and folders that were made and not removed, with the step that made them, oldest first. Folders end in `/`.
    pub(crate) made: Vec<(String, String)>,
    /// Checks and differences of the last verification, if nothing was changed since.
    pub(crate) verified: Option<(u64, u64)>,
    /// Verbs that ended.
    pub(crate) ended: Vec<String>,
    /// A rollback was the last thing that happened.
    pub(crate) rolled_back: bool,
}

impl State {
    /// Reads the records from the first to the last.
    pub(crate) fn of(records: &[Record]) -> State {
        let mut state = State::default();
        for record in records {
            state.take(&record.event);
        }
        state
    }

    pub(crate) fn take(&mut self, event: &Event) {
        match event {
            Event::Planned { plan } => {
                self.plan = Some(plan.clone());
                self.steps.clear();
                self.ended.clear();
                self.verified = None;
                self.rolled_back = false;
            }
            Event::Begin { step, makes } => {
                for path in makes {
                    if !self.is_ours(path) {
                        self.made.push((path.clone(), step.clone()));
                    }
                }
                self.changed(step, StepProgress::Begun);
            }
            Event::Done { step, evidence } => self.changed(step, StepProgress::Done(evidence.clone())),
            Event::Failed { step, .. } => self.changed(step, StepProgress::Failed),
            Event::Confirmed { step, .. } => {
                self.steps.insert(step.clone(), StepProgress::Confirmed);
                self.rolled_back = false;
            }
            Event::Undone { step, removed, .. } => {
                self.made.retain(|(path, _)| !removed.contains(path));
                self.changed(step, StepProgress::Undone);
                self.ended.clear();
                self.rolled_back = true;
            }
            Event::Verified { checks, differences } => self.verified = Some((*checks, *differences)),
            Event::PhaseEnded { verb } => self.ended.push(verb.clone()),
        }
    }

    fn changed(&mut self, step: &str, progress: StepProgress) {
        self.steps.insert(step.to_owned(), progress);
        self.verified = None;
        self.rolled_back = false;
    }

    /// True when this migration made the path and did not remove it.
    pub(crate) fn is_ours(&self, path: &str) -> bool {
        self.made.iter().any(|(made, _)| made == path)
    }

    /// True when the step need not be performed again.
    pub(crate) fn is_complete(&self, step: &str) -> bool {
        self.steps.get(step).is_some_and(StepProgress::is_complete)
    }

    /// True when something is recorded of the step that was not taken back.
    pub(crate) fn is_open(&self, step: &str) -> bool {
        self.steps.get(step).is_some_and(|progress| *progress != StepProgress::Undone)
    }

    /// The evidence of a step that is done.
    pub(crate) fn evidence(&self, step: &str) -> Option<&Evidence> {
        match self.steps.get(step) {
            Some(StepProgress::Done(evidence)) => Some(evidence),
            _ => None,
        }
    }

    /// A step that was begun, done or failed and not taken back.
    pub(crate) fn under_way(&self) -> Option<&str> {
        let begun = |progress: &StepProgress| {
            matches!(progress, StepProgress::Begun | StepProgress::Done(_) | StepProgress::Failed)
        };
        self.steps
            .iter()
            .find(|(step, progress)| begun(progress) && !step.starts_with("check."))
            .map(|(step, _)| &**step)
    }

    /// The files that the steps made, by path.
    pub(crate) fn artifacts(&self) -> BTreeMap<&str, (&str, &Artifact)> {
        let mut artifacts = BTreeMap::new();
        for (step, progress) in &self.steps {
            if let StepProgress::Done(evidence) = progress {
                for artifact in &evidence.artifacts {
                    artifacts.insert(artifact.path.as_str(), (step.as_str(), artifact));
                }
            }
        }
        artifacts
    }
}
