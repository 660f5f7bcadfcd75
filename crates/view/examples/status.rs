//! Prints the current status of saved inputs: `status FILE...`, for comparing by hand.

use view::status::{Status, text};

fn main() {
    for path in std::env::args().skip(1) {
        let source = std::fs::read_to_string(&path).unwrap_or_default();
        match xml::Document::parse(&source) {
            Ok(document) => {
                let (cib, _) = cib::Cib::from_document(&document);
                let now = cib.root.execution_date.unwrap_or(1_800_000_000);
                let model =
                    scheduler::state::build(&cib, cib::iso8601::Zone::UTC.at(now).into(), Default::default());
                let status = Status::of(&model);
                println!("=== {path}");
                print!("{}", text::maintenance_and_counts(&status));
                print!("{}", text::cluster_status(&status, "Current cluster status", true));
            }
            Err(error) => println!("=== {path}\nerror: {error}"),
        }
    }
}
