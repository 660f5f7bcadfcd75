//! `crm_verify`: checks a configuration and says where, what, and what to do.

use std::process::ExitCode;

/// One thing found in a configuration.
pub struct Finding {
    pub is_error: bool,
    pub text: String,
}

/// Everything found in a CIB.
pub fn findings(document: &xml::Document) -> Vec<Finding> {
    let (_, notices) = cib::Cib::from_document(document);
    notices
        .into_iter()
        .filter(|notice| notice.severity > cib::Severity::Note)
        .map(|notice| Finding {
            is_error: notice.severity == cib::Severity::Error,
            text: format!("{}: {}", notice.place, notice.text),
        })
        .collect()
}

pub fn run(arguments: &[String]) -> ExitCode {
    let _ = arguments;
    ExitCode::FAILURE
}
