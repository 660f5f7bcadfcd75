//! Golden cases: each file `golden/TOOL/*.case` is a session of command lines with what they print.
//!
//!     cib two-nodes.xml            a fresh copy of golden/inputs/two-nodes.xml becomes cib.xml (CIB_file)
//!     $ crm_resource -r db -W      a command line, for a shell
//!     > resource db is running on: node1
//!     ! a line on standard error
//!     = 0
//!     ~ why this program's answer is another one: its own answer follows
//!     = 105
//!
//! What follows `$` was recorded from the reference's tools. `cargo xtask golden --reference` records it anew
//! from the installed ones; `UPDATE=1 cargo test -p cli --test golden` records this program's answers where they
//! differ. A difference without a reason is a failure, recorded or not.

// scenario tests touch files and processes: that is what they are for
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod golden_session;

use std::fs;
use std::path::{Path, PathBuf};

use golden_session::{Place, Session};

#[test]
fn tools_answer_as_the_reference_does_or_say_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let only = std::env::var("ONLY").unwrap_or_default();
    let reference = std::env::var_os("REFERENCE").is_some();
    let update = std::env::var_os("UPDATE").is_some();
    let place = Place::new(&root, Path::new(env!("CARGO_BIN_EXE_systole")));
    let mut failures = Vec::new();
    let mut count = 0;
    for path in cases(&root).into_iter().filter(|path| path.to_string_lossy().contains(&only)) {
        let recorded = fs::read_to_string(&path).unwrap();
        let mut session =
            Session::parse(&recorded).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        count += session.len();
        if reference {
            session.record_reference(&place);
        }
        failures.extend(
            session.compare(&place, update).into_iter().map(|text| format!("{}: {text}", path.display())),
        );
        let text = session.to_string();
        if (update || reference) && text != recorded {
            fs::write(&path, text).unwrap();
        }
    }
    assert!(failures.is_empty(), "{} of {count} commands differ:\n{}", failures.len(), failures.join("\n"));
    assert!(count > 0, "no golden case found");
    println!("{count} commands");
}

fn cases(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        found.extend(files.filter(|path| path.extension().is_some_and(|it| it == "case")));
    }
    found.sort();
    found
}
