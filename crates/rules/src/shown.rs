//! The tests that show what answers a clause, for the page of the guide. A test looks that each of them exists.

use crate::guide::Answer;

/// What is shown (the id of a step or a check, or the beginning of the ids of several; or what the report says), the file of the
/// test below `crates`, and its name.
type Shown = (&'static str, &'static str, &'static str);

const WHOLE: &str = "engine/tests/whole.rs";
const CONFORMANCE: &str = "destinations/tests/conformance.rs";
const LIVE: &str = "hvmigrate/tests/live.rs";
const TALK: &str = "hvmigrate/tests/conversations/migration.txt";
const PAGE: &str = "hvmigrate/tests/report.rs";

const ORDER: &str = "the_steps_are_in_the_order_of_the_guide_and_name_its_clauses";
const TO_THE_END: &str = "from_the_plan_to_the_end_and_the_source_stays_as_it_was";
const FLIPPED: &str = "a_flipped_byte_in_any_file_is_found_and_named";
const KEPT: &str = "kept_data_is_taken_over_and_damaged_data_copied_again";
const STAGES: &str = "it_is_self_contained_at_every_stage";
const TIMES: &str = "it_tells_times_and_addresses";
const PLANNED: &str = "performing_gives_what_was_planned";
const EACH_STEP: &str = "each_step_alone_is_tested_performed_and_taken_back";

/// All rules have this one, with an example of their own beside them.
const RULES: (&str, &str) = ("rules/src/tests.rs", "every_rule_fires_on_one_sample_and_is_quiet_on_another");

const SHOWN: &[Shown] = &[
    ("confirm.backup", WHOLE, ORDER),
    ("confirm.access-rights", WHOLE, ORDER),
    ("confirm.downtime", WHOLE, "a_person_is_waited_for"),
    ("confirm.domain-controller", WHOLE, ORDER),
    ("confirm.destination-role", WHOLE, ORDER),
    ("check.source", WHOLE, "a_changed_source_or_plan_or_a_second_run_is_refused"),
    ("check.destination", WHOLE, "somebody_elses_files_are_never_touched"),
    ("take-folder", "hvmigrate/tests/here.rs", "a_migration_to_its_end_and_back"),
    ("copy-disk.", WHOLE, TO_THE_END),
    ("copy-file.", WHOLE, FLIPPED),
    ("confirm.source-off", WHOLE, "a_person_is_waited_for"),
    ("apply-settings", CONFORMANCE, PLANNED),
    ("create-switch.", CONFORMANCE, EACH_STEP),
    ("create-management-adapter.", CONFORMANCE, EACH_STEP),
    ("create-checkpoint.", "destinations/tests/checkpoints.rs", EACH_STEP),
    ("register-machine.", CONFORMANCE, EACH_STEP),
    ("complete", "destinations/tests/kit.rs", "the_readme_follows_the_guide"),
    ("carry-over.", LIVE, "a_migration_that_is_killed_goes_on_where_it_was"),
    ("import-on-host", LIVE, "a_migration_to_its_end_and_back"),
    ("observe-on-host", LIVE, "what_was_changed_on_the_host_is_named"),
    ("confirm.external-network.", WHOLE, ORDER),
    ("confirm.firewall", "destinations/tests/firewall.rs", "each_thing_that_is_not_so_is_named"),
    ("confirm.remote-administration", "destinations/tests/dcom.rs", "each_entry_that_is_missing_is_named"),
    ("confirm.pass-through.", WHOLE, ORDER),
    ("confirm.move-disks.", "engine/tests/physical.rs", "a_physical_disk_is_attached_by_what_is_written_on_it"),
    ("confirm.images.", WHOLE, ORDER),
    ("confirm.vlan.", WHOLE, ORDER),
    ("confirm.clients", TALK, "migration"),
    ("confirm.source-role-removed", WHOLE, ORDER),
    ("rollback.source", WHOLE, KEPT),
    ("rollback.destination", WHOLE, KEPT),
    ("rollback.clients", WHOLE, KEPT),
    ("verify.disks", WHOLE, "a_flipped_byte_of_content_is_named_with_machine_disk_and_offset"),
    ("verify.settings", WHOLE, "what_was_seen_on_the_destination_is_compared_with_the_plan"),
    ("verify.files", WHOLE, FLIPPED),
    ("verify.machines-list", WHOLE, TO_THE_END),
    ("verify.checkpoints", WHOLE, TO_THE_END),
    ("inventory in report.json", PAGE, STAGES),
    ("downtime per machine in the plan", PAGE, TIMES),
    ("downtime per machine and in total in the plan", PAGE, TIMES),
    ("estimate of bytes and seconds per machine in the plan, compared with the actual time in the report", PAGE, TIMES),
    ("rates of reading and writing that were measured for the estimate, in the plan", PAGE, TIMES),
    ("adapters with their IP settings in the inventory of report.json; hvmigrate does not move them", PAGE, TIMES),
    ("role assignments in the inventory of report.json", PAGE, STAGES),
    (
        "every step can be performed again and leaves the same result",
        CONFORMANCE,
        "performing_twice_is_performing_once",
    ),
    ("settings that are not carried, in the report", PAGE, STAGES),
    (
        "the table of guests in the report and in the inventory of report.json",
        "sources/tests/guests.rs",
        "the_table_of_switched_off_guests",
    ),
];

/// The tests that show an answer: file below `crates`, and name. None for what is not done.
pub(crate) fn shown(answer: &Answer) -> Vec<(&'static str, &'static str)> {
    let of = |what: &str| {
        let fitting = SHOWN.iter().filter(move |(known, ..)| *known == what);
        fitting.map(|(_, file, test)| (*file, *test)).collect::<Vec<_>>()
    };
    let mut tests = match answer {
        Answer::Rules(_) => vec![RULES],
        Answer::Steps(names) | Answer::Checks(names) => names.iter().flat_map(|name| of(name)).collect(),
        Answer::Says(what) => of(what),
        Answer::None(_) => Vec::new(),
    };
    tests.dedup();
    tests
}
