//! CD, DVD and floppy images of machines.

use hvm_model::finding::{Level, Subject};
use hvm_model::names::WindowsPath;
use hvm_model::vm::{Drive, Machine, Media};

use crate::case::{Case, of_disk};
use crate::rule::{Rule, Seen};
#[cfg(test)]
use crate::tests_support::Example;
#[cfg(test)]
use hvm_model::names::ByteSize;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "machine.images",
        level: Level::Manual,
        under_extended: Level::Manual,
        clause: "guide.manual.images",
        title: "A machine has a CD, DVD or floppy image attached.",
        answers: &[],
        check: present,
    },
    Rule {
        id: "machine.image-missing",
        level: Level::Warns,
        under_extended: Level::Warns,
        clause: "beyond.drives.image-missing",
        title: "A machine has an image attached whose file is not there.",
        answers: &[],
        check: missing,
    },
];

/// Whether the file of an image is on the source.
#[derive(Clone, Copy, PartialEq)]
enum Presence {
    There,
    Missing,
    Unreachable,
}

/// Kind of the problem that an image could not be reached.
const UNREACHABLE: &str = "image.unreachable";

fn images<'a>(case: &Case<'a>, wanted: Presence) -> Vec<(&'a Machine, &'a Drive, &'a WindowsPath)> {
    let media = &case.inventory.media;
    // Of one that may be there and cannot be read, the problem of the source says so.
    let unreachable = |path: &WindowsPath| {
        let of_path = |subject: &Subject| match subject {
            Subject::Disk { path: known, .. } => known == path,
            Subject::File { path: known } => WindowsPath::new(known) == *path,
            _ => false,
        };
        let problems = &case.inventory.problems;
        problems.iter().any(|problem| problem.kind == UNREACHABLE && of_path(&problem.subject))
    };
    let presence = |path: &WindowsPath| {
        let gone = media.iter().any(|file| file.path == *path && file.size.is_none());
        match () {
            () if unreachable(path) => Presence::Unreachable,
            () if gone => Presence::Missing,
            () => Presence::There,
        }
    };
    let drives = case.inventory.machines.iter().flat_map(|machine| {
        machine.configuration.drives.iter().map(move |drive| (machine, drive))
    });
    let images = drives.filter_map(|(machine, drive)| match &drive.media {
        Media::Iso { path } | Media::Floppy { path } => Some((machine, drive, path)),
        _ => None,
    });
    images.filter(|(_, _, path)| presence(path) == wanted).collect()
}

fn present(case: &Case<'_>) -> Vec<Seen> {
    let seen = images(case, Presence::There).into_iter().map(|(machine, drive, path)| {
        let message = format!(
            "The image '{path}' is in the drive {} of the virtual machine '{}'. The guide leaves images to a \
             person; hvmigrate copies the file beside the machine's disks and attaches it again. Check after the \
             migration that it is there and still wanted.",
            drive.slot_name(),
            machine.name
        );
        Seen::new(of_disk(machine, path), message).at(&drive.place)
    });
    seen.collect()
}

fn missing(case: &Case<'_>) -> Vec<Seen> {
    let seen = images(case, Presence::Missing).into_iter().map(|(machine, drive, path)| {
        let message = format!(
            "The image '{path}' in the drive {} of the virtual machine '{}' is not on the source; the drive is \
             empty on the destination.",
            drive.slot_name(),
            machine.name
        );
        Seen::new(of_disk(machine, path), message).at(&drive.place)
    });
    seen.collect()
}

#[cfg(test)]
pub(super) const EXAMPLES: &[Example] = &[
    Example {
        rule: "machine.images",
        fires: |sample| sample.add_image(Some(ByteSize(4096))),
        quiet: |sample| sample.add_image(None),
    },
    Example {
        rule: "machine.image-missing",
        fires: |sample| sample.add_image(None),
        quiet: |sample| sample.add_image(Some(ByteSize(4096))),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::{Sample, problem};
    use hvm_model::found::Problem;

    #[test]
    fn an_image_that_cannot_be_reached_is_not_said_to_be_gone() {
        let mut sample = Sample::new();
        sample.add_image(None);
        let machine = sample.inventory.machines[0].clone();
        let path = sample.inventory.media[0].path.clone();
        let subject = of_disk(&machine, &path);
        sample.inventory.problems.push(Problem { kind: UNREACHABLE.to_owned(), ..problem(subject) });
        let rules: Vec<String> = sample.assess().into_iter().map(|finding| finding.rule).collect();
        assert!(rules.contains(&"source.problem".to_owned()), "{rules:?}");
        assert!(!rules.iter().any(|rule| rule.starts_with("machine.image")), "{rules:?}");
    }
}
