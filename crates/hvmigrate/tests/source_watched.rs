//! The source is only ever read: every command runs under strace, and no system call opens a file of the source for writing, writes
//! to one, or changes a name, a time or a right there. And on a read-only mount each command does the same.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{ANSWERS, Scene};
use hvm_testkit::mount::unmount;
use hvm_testkit::sample::{SampleHost, Variant};

/// Calls that change the thing that a path names; where it stands among the arguments does not matter.
const OF_PATHS: &str = "creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,symlink,\
                        symlinkat,truncate,chmod,fchmodat,chown,lchown,fchownat,utime,utimes,futimesat,utimensat,setxattr,\
                        lsetxattr,removexattr,lremovexattr,mount,umount2";
/// Calls that change the file in their first argument.
const OF_FILES: &str =
    "write,pwrite64,writev,pwritev,pwritev2,ftruncate,fallocate,fchmod,fchown,fsetxattr,fremovexattr,sendfile";

/// What a call of the trace does to what lies below `source`.
fn changes(line: &str, source: &str) -> bool {
    let Some((call, arguments)) = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').split_once('(')
    else {
        return false;
    };
    let below = |text: &str| {
        text.contains(&format!("{source}/"))
            || text.contains(&format!("{source}>"))
            || text.contains(&format!("{source}\""))
    };
    let argument = |number: usize| arguments.split(", ").nth(number).unwrap_or_default();
    match call {
        "open" | "openat" | "openat2" => {
            let for_writing = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND", "O_TMPFILE"];
            // The answer has the path of the file too, and the path may be one of a folder that is named by its descriptor.
            below(arguments) && for_writing.iter().any(|flag| arguments.contains(flag))
        }
        "copy_file_range" | "splice" => below(argument(2)),
        "ioctl" => below(argument(0)) && (arguments.contains("FICLONE") || arguments.contains("SETFLAGS")),
        "mmap" => below(arguments) && arguments.contains("MAP_SHARED") && arguments.contains("PROT_WRITE"),
        call if OF_FILES.split(',').any(|known| known == call) => below(argument(0)),
        call if OF_PATHS.split(',').any(|known| known == call) => below(arguments),
        _ => false,
    }
}

/// What strace saw of a run.
struct Seen {
    code: i32,
    text: String,
    lines: Vec<String>,
}

fn watched(scene: &Scene, command: &Command) -> std::io::Result<Seen> {
    let list = scene.dir.join("trace");
    let calls = format!(
        "trace=open,openat,openat2,copy_file_range,splice,ioctl,mmap,{OF_FILES},?{}",
        OF_PATHS.replace(',', ",?")
    );
    let calls = calls.replace("open,openat,openat2", "?open,openat,?openat2");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-qq", "-s", "4096", "-e", "signal=none", "-e", &calls, "-o"]).arg(&list);
    strace.arg(command.get_program()).args(command.get_args()).current_dir(&scene.dir);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    let output = strace.output()?;
    let lines = fs::read_to_string(&list).unwrap_or_default().lines().map(str::to_owned).collect();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Seen { code: output.status.code().unwrap_or(-1), text, lines })
}

/// Every command that touches a source, with its exit code.
fn commands(host: &SampleHost, from: &str) -> Vec<(i32, Vec<String>)> {
    let to = "kit:to?os=2019&processors=2&memory=32GiB";
    let leaf = host.disks.iter().max_by_key(|disk| disk.chain.len()).unwrap().path.to_string_lossy().into_owned();
    let mut plan = vec!["plan", "--from", from, "--to", to, "--work", "work"];
    plan.extend(ANSWERS);
    let all: [(i32, Vec<&str>); 10] = [
        (3, vec!["assess", "--from", from, "--to", to]),
        (0, plan),
        (0, vec!["migrate", "--work", "work", "--confirm", "all"]),
        (0, vec!["verify", "--work", "work"]),
        (0, vec!["disk", "info", &leaf]),
        (0, vec!["disk", "check", &leaf]),
        (0, vec!["disk", "hash", &leaf]),
        (0, vec!["disk", "convert", &leaf, "out.vhdx", "--to", "vhdx"]),
        (0, vec!["disk", "convert", &leaf, "kept.avhd", "--to", "vhd", "--keep-chain"]),
        (0, vec!["rollback", "--work", "work", "--discard-data"]),
    ];
    all.into_iter().map(|(code, args)| (code, args.into_iter().map(str::to_owned).collect())).collect()
}

#[test]
fn no_call_of_the_system_changes_the_source() {
    let scene = Scene::new();
    let host = scene.sample(Variant::Default);
    let source = scene.dir.join("source").to_string_lossy().into_owned();
    // What shall be seen is seen.
    let mut harm = Command::new("sh");
    harm.args(["-c", "echo x > \"$0/new\"; mv \"$0/new\" \"$0/old\"; touch -d 2001-02-03 \"$0/old\"; chmod 600 \"$0/old\"; rm \"$0/old\"", &source]);
    match watched(&scene, &harm) {
        Ok(seen) if seen.code == 0 => {
            let found = seen.lines.iter().filter(|line| changes(line, &source)).count();
            assert!(found >= 6, "opened, written, renamed, touched, given rights and removed: {:?}", seen.lines);
        }
        Ok(seen) => return eprintln!("SKIPPED: system calls on the source: strace: {}", seen.text),
        Err(error) => return eprintln!("SKIPPED: system calls on the source: strace: {error}"),
    }
    for (code, args) in commands(&host, &format!("folder:{source}")) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let seen = watched(&scene, &scene.command(&args)).unwrap();
        assert_eq!(seen.code, code, "{args:?}\n{}", seen.text);
        let reads = seen.lines.iter().filter(|line| line.contains(&format!("{source}/"))).count();
        assert!(reads > 0 || args[0] == "rollback", "{args:?} does not look at the source");
        let wrong: Vec<&String> = seen.lines.iter().filter(|line| changes(line, &source)).collect();
        assert!(wrong.is_empty(), "{args:?}: {wrong:#?}");
    }
}

/// Mounts a folder on itself, read-only; says why not.
fn read_only(folder: &Path) -> bool {
    let mount = |args: &[&str]| Command::new("mount").args(args).arg(folder).output();
    let bound = mount(&["--bind", &folder.to_string_lossy()]).is_ok_and(|output| output.status.success());
    let closed = bound && mount(&["-o", "remount,bind,ro"]).is_ok_and(|output| output.status.success());
    if bound && !closed {
        unmount(folder).unwrap();
    }
    if !closed {
        eprintln!("SKIPPED: a source on a read-only mount: this user may not mount");
    }
    closed
}

#[test]
fn a_source_on_a_read_only_mount_is_migrated() {
    let scene = Scene::new();
    let host = scene.sample(Variant::Default);
    let source = scene.dir.join("source");
    if !read_only(&source) {
        return;
    }
    let refused = fs::write(source.join("new"), "x").map_err(|error| error.kind());
    let outcomes: Vec<(i32, Vec<String>, common::Ran)> = commands(&host, &format!("folder:{}", source.display()))
        .into_iter()
        .map(|(code, args)| {
            let ran = scene.run(&args.iter().map(String::as_str).collect::<Vec<&str>>());
            (code, args, ran)
        })
        .collect();
    unmount(&source).unwrap();
    assert_eq!(refused, Err(std::io::ErrorKind::ReadOnlyFilesystem));
    for (code, args, ran) in outcomes {
        assert_eq!(ran.code, code, "{args:?}\n{}\n{}", ran.stdout, ran.stderr);
    }
}
