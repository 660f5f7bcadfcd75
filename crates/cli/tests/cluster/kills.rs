//! Commands that are killed while they change a file: it has the old content or the new one.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::host::{Tools, read};

/// How often a command is killed, for each way of writing, and how many at a time.
const KILLS: usize = 200;
const AT_A_TIME: usize = 4;

/// A configuration that fills many pages of memory, with two numbers far apart.
fn configuration() -> String {
    let filling: String = (0..500)
        .map(|number| format!("<nvpair id=\"f{number}\" name=\"filling{number}\" value=\"{number}\"/>\n"))
        .collect();
    format!(
        "<cib validate-with=\"pacemaker-3.9\" admin_epoch=\"0\" epoch=\"1\" num_updates=\"0\"><configuration><crm_config>\
         <cluster_property_set id=\"w\"><nvpair id=\"left\" name=\"left\" value=\"0\"/>\n{filling}\
         <nvpair id=\"right\" name=\"right\" value=\"0\"/></cluster_property_set></crm_config><nodes/><resources/>\
         <constraints/></configuration><status/></cib>"
    )
}

fn change(number: usize) -> String {
    // of different lengths, so that what is behind them moves
    let value = format!("{number}{}", "0".repeat(number % 7));
    format!(
        "<cluster_property_set id=\"w\"><nvpair id=\"left\" name=\"left\" value=\"{value}\"/>\
         <nvpair id=\"right\" name=\"right\" value=\"{value}\"/></cluster_property_set>"
    )
}

fn numbers(path: &Path) -> [String; 2] {
    let document = xml::Document::parse(&read(path)).expect("the file is well-formed");
    ["left", "right"].map(|id| {
        let mut all = document.root_element().descendants();
        let found = all.find(|element| element.attr("id") == Some(id)).expect("it is there");
        found.attr("value").unwrap().to_owned()
    })
}

fn command(tools: &Tools, file: &Path, number: usize) -> Command {
    let mut command = Command::new(tools.path("links/cibadmin"));
    command
        .args(["--modify", "--xml-text", &change(number)])
        .env("CIB_file", file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// Kills commands at moments spread over the time that one takes; `hold` keeps the file open meanwhile, as pcs does.
fn kill_again_and_again(tools: &Tools, name: &str, hold: bool, done: &AtomicUsize) {
    let file = tools.path(name);
    tools.write(name, &configuration());
    let held = hold.then(|| File::open(&file).unwrap());
    let time = |_| {
        let began = Instant::now();
        assert!(command(tools, &file, 1).status().unwrap().success());
        began.elapsed()
    };
    // one alone may have been held up by other work
    let whole = (0..3).map(time).min().unwrap();
    let mut before = numbers(&file);
    assert_eq!(before[0], "10");
    for number in 2..2 + KILLS / AT_A_TIME {
        let mut child = command(tools, &file, number).spawn().unwrap();
        let share = u32::try_from(number * 7 % 50).unwrap();
        std::thread::sleep(whole * share / 40);
        child.kill().unwrap();
        // until also what writes for it has ended, which has the same output
        child.wait_with_output().unwrap();
        let now = numbers(&file);
        assert_eq!(now[0], now[1], "half a change after the kill of change {number}");
        let new = format!("{number}{}", "0".repeat(number % 7));
        assert!(now == before || now[0] == new, "{now:?} is neither {before:?} nor {new}");
        done.fetch_add(usize::from(now != before), Ordering::Relaxed);
        before = now;
    }
    drop(held);
}

fn in_parallel(hold: bool) {
    let tools = Tools::new();
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for number in 0..AT_A_TIME {
            let (tools, done) = (&tools, &done);
            scope.spawn(move || kill_again_and_again(tools, &format!("cib{number}.xml"), hold, done));
        }
    });
    let done = done.into_inner();
    assert!(
        (10..KILLS - 10).contains(&done),
        "{done} of {KILLS} changes were made: all kills were early or late"
    );
    let left: Vec<_> = std::fs::read_dir(tools.path(".")).unwrap().flatten().collect();
    assert!(left.len() < KILLS, "kills leave files behind: {}", left.len());
}

#[test]
fn a_file_that_is_replaced() {
    in_parallel(false);
}

#[test]
fn a_file_that_the_caller_holds_open() {
    in_parallel(true);
}

#[test]
fn a_replaced_file_keeps_its_mode_and_its_link() {
    use std::os::unix::fs::PermissionsExt;
    let tools = Tools::new();
    tools.write("real.xml", &configuration());
    let (real, link) = (tools.path("real.xml"), tools.path("link.xml"));
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("real.xml", &link).unwrap();
    assert!(command(&tools, &link, 5).status().unwrap().success());
    assert!(link.is_symlink());
    assert_eq!(numbers(&real)[0], "500000");
    assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
}

/// Its file may be the classic tool's, not a link to the program: what it starts of itself is the program all the same.
#[test]
fn a_program_installed_as_a_tool_writes_a_file_that_is_held_open() {
    let tools = Tools::new();
    let installed = tools.path("cibadmin");
    // by another process: what other tests start meanwhile must not inherit the copy while it is written to
    let program = std::fs::canonicalize(tools.path("links/cibadmin")).unwrap();
    assert!(Command::new("cp").arg(program).arg(&installed).status().unwrap().success());
    tools.write("cib.xml", &configuration());
    let file = tools.path("cib.xml");
    let held = File::open(&file).unwrap();
    let mut command = Command::new(&installed);
    command.args(["--modify", "--xml-text", &change(5)]).env("CIB_file", &file);
    assert!(command.status().unwrap().success());
    assert_eq!(numbers(&file)[0], "500000");
    drop(held);
}
