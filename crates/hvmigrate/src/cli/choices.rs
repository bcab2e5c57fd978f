//! The options by which the operator decides: policy, answers, machines left out, adapters of external networks.

use std::path::PathBuf;

use hvm_model::choices::{Answer, Choices, GuestDepth, Policy};
use serde::Deserialize;

use crate::messages::Failure;

/// Rule that takes the answers of `--exclude`.
const EXCLUDE: &str = "machine.left-out";
/// Rule that takes the answers of `--map-nic`.
const EXTERNAL: &str = "switch.external";

/// The operator's decisions on the command line.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ChoiceArgs {
    /// Judge exactly as the guide, or allow what is safe beyond it [default: extended]
    #[arg(long, value_enum, help_heading = "Decisions")]
    pub policy: Option<PolicyName>,
    /// Answers a finding, e.g. 'machine.saved-state@Web=discard'; may be given again, the later one wins
    #[arg(long = "answer", value_name = "RULE@SUBJECT=VALUE", value_parser = answer, help_heading = "Decisions")]
    pub answers: Vec<Answer>,
    /// Leaves a machine out
    #[arg(long, value_name = "MACHINE", help_heading = "Decisions")]
    pub exclude: Vec<String>,
    /// Connects an external network to an adapter of the destination
    #[arg(long = "map-nic", value_name = "SWITCH=ADAPTER", value_parser = nic, help_heading = "Decisions")]
    pub map_nic: Vec<Answer>,
    /// Reads answers from a file: {"policy": "extended", "answers": ["RULE@SUBJECT=VALUE", ...]}
    #[arg(long = "answers", value_name = "FILE.json", help_heading = "Decisions")]
    pub answers_file: Option<PathBuf>,
    /// Reads only the headers of the disks, not what is in the machines
    #[arg(long)]
    pub headers: bool,
}

/// Names of the policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PolicyName {
    /// Exactly as the guide: what it does not support is refused with the clause.
    Guide,
    /// What can be done safely beyond the guide is allowed, and each finding says so.
    Extended,
}

impl From<PolicyName> for Policy {
    fn from(name: PolicyName) -> Policy {
        match name {
            PolicyName::Guide => Policy::Guide,
            PolicyName::Extended => Policy::Extended,
        }
    }
}

fn answer(text: &str) -> Result<Answer, String> {
    Answer::parse(text).ok_or_else(|| "an answer has the form RULE@SUBJECT=VALUE".to_owned())
}

fn nic(text: &str) -> Result<Answer, String> {
    match text.rsplit_once('=') {
        Some((switch, adapter)) if !switch.is_empty() && !adapter.is_empty() => {
            Ok(Answer { rule: EXTERNAL.to_owned(), subject: switch.to_owned(), value: format!("adapter:{adapter}") })
        }
        _ => Err("a mapping has the form SWITCH=ADAPTER".to_owned()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswersFile {
    #[serde(default)]
    policy: Option<Policy>,
    #[serde(default)]
    answers: Vec<WrittenAnswer>,
}

/// An answer in a file: as on the command line, or in its parts.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenAnswer {
    Line(String),
    Parts(Answer),
}

impl ChoiceArgs {
    /// The decisions together: the file's first, so that the command line wins.
    pub fn choices(&self) -> Result<Choices, Failure> {
        let mut choices = match &self.answers_file {
            Some(path) => read(path)?,
            None => Choices::default(),
        };
        if let Some(policy) = self.policy {
            choices.policy = policy.into();
        }
        if self.headers {
            choices.guests = GuestDepth::Headers;
        }
        let excluded = self.exclude.iter().map(|machine| Answer {
            rule: EXCLUDE.to_owned(),
            subject: machine.clone(),
            value: "exclude".to_owned(),
        });
        choices.answers.extend(excluded);
        choices.answers.extend(self.map_nic.iter().cloned());
        choices.answers.extend(self.answers.iter().cloned());
        Ok(choices)
    }
}

fn read(path: &std::path::Path) -> Result<Choices, Failure> {
    let failure = || Failure::failed(format!("The answers in '{}' could not be read.", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failure().caused_by(error))?;
    let file: AnswersFile = serde_json::from_str(&text).map_err(|error| {
        failure().caused_by(error).hint(r#"the form is {"policy": "extended", "answers": ["RULE@SUBJECT=VALUE"]}"#)
    })?;
    let mut choices = Choices { policy: file.policy.unwrap_or_default(), ..Choices::default() };
    for written in file.answers {
        choices.answers.push(match written {
            WrittenAnswer::Parts(parts) => parts,
            WrittenAnswer::Line(line) => {
                Answer::parse(&line).ok_or_else(|| failure().hint(format!("'{line}' is not RULE@SUBJECT=VALUE")))?
            }
        });
    }
    Ok(choices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.json");
        std::fs::write(
            &path,
            r#"{"policy": "guide", "answers": ["a.b@X=keep", {"rule":"c.d","subject":"*","value":"y"}]}"#,
        )
        .unwrap();
        let args = ChoiceArgs {
            answers: vec![answer("a.b@X=drop").unwrap()],
            exclude: vec!["Old one".to_owned()],
            map_nic: vec![nic("Netz = 1=Ethernet 2").unwrap()],
            answers_file: Some(path),
            headers: true,
            ..ChoiceArgs::default()
        };
        let choices = args.choices().unwrap();
        assert_eq!((choices.policy, choices.guests), (Policy::Guide, GuestDepth::Headers));
        let lines: Vec<String> = choices
            .answers
            .iter()
            .map(|answer| format!("{}@{}={}", answer.rule, answer.subject, answer.value))
            .collect();
        let expected = [
            "a.b@X=keep",
            "c.d@*=y",
            "machine.left-out@Old one=exclude",
            "switch.external@Netz = 1=adapter:Ethernet 2",
            "a.b@X=drop",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn malformed_answers_are_refused() {
        for text in ["", "a.b", "@x=", "=v"] {
            assert!(answer(text).is_err(), "{text}");
        }
        for text in ["", "switch", "=x", "x="] {
            assert!(nic(text).is_err(), "{text}");
        }
    }
}
