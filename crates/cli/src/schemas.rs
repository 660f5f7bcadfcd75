//! `systole install-schemas DIR`: Systole's schemas as files, for clients that read them
//! (`/usr/share/pacemaker/pacemaker-X.Y.rng`, and `api/api-result.rng` for the tools' XML output).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::session::{Problem, replace_file};

/// The frame of every tool's XML output.
const OUTPUT: &str = include_str!("api-result.rng");

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Clients such as crmsh read the schema that a configuration declares to know its elements.\n\nExample:\n  systole install-schemas /usr/share/pacemaker"
)]
pub struct Arguments {
    /// Where the files go; it is made if it is missing
    directory: PathBuf,
}

pub fn run(arguments: &Arguments) -> ExitCode {
    match install(&arguments.directory) {
        Ok(count) => {
            println!("{count} schemas written to {}", arguments.directory.display());
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("systole install-schemas: {problem}");
            ExitCode::from(problem.code)
        }
    }
}

fn install(directory: &Path) -> Result<usize, Problem> {
    let api = directory.join("api");
    std::fs::create_dir_all(&api)
        .map_err(|error| Problem::new(73, format!("cannot make {}: {error}", api.display())))?;
    replace_file(&api.join("api-result.rng"), OUTPUT)?;
    let mut count = 1;
    for schema in cib::upgrade::SCHEMAS {
        let Some(text) = cib::schema::relax_ng(schema) else { continue };
        replace_file(&directory.join(format!("{schema}.rng")), &text)?;
        count += 1;
    }
    Ok(count)
}
