//! Digests of XML (rule 5c.8): lower-case MD5 of a textual form. They recognise equal documents and files
//! that were touched; they are no protection against anybody.

use md5::{Digest, Md5};
use xml::{Document, NodeId};

/// Attributes that may differ between equal documents.
pub const NOT_COMPARED: [&str; 5] =
    ["crm-debug-origin", "cib-last-written", "update-origin", "update-client", "update-user"];

/// Digest of a text.
pub fn md5(text: &str) -> String {
    hexadecimal(Md5::new_with_prefix(text).finalize().as_slice())
}

/// "Version 1", of the file on disk and its `.sig` file, of `cibadmin -5` and of agents' parameters: the
/// compact form after one blank and before a newline.
pub fn on_disk(document: &Document) -> String {
    on_disk_element(document, document.root())
}

/// [`on_disk`] of one subtree.
pub fn on_disk_element(document: &Document, id: NodeId) -> String {
    let mut text = String::from(" ");
    document.write_compact(id, &mut text);
    text.push('\n');
    md5(&text)
}

/// "Version 2", of `cibadmin -6`, of patch sets and between nodes: the compact form without attributes that
/// only tell who changed what when.
pub fn versioned(document: &Document) -> String {
    md5(&document.to_string_without(&NOT_COMPARED))
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Document {
        Document::parse(text).expect("sample")
    }

    #[test]
    fn forms() {
        assert_eq!(md5(""), "d41d8cd98f00b204e9800998ecf8427e");
        let document = parse("<cib epoch='1'/>");
        assert_eq!(on_disk(&document), md5(" <cib epoch=\"1\"/>\n"));
        assert_eq!(versioned(&document), md5("<cib epoch=\"1\"/>"));
    }

    #[test]
    fn who_changed_it_does_not_count() {
        let a = parse("<cib epoch='1' update-user='root'><status><x crm-debug-origin='me'/></status></cib>");
        let b = parse("<cib epoch='1'><status> <x/> </status></cib>");
        assert_eq!(versioned(&a), versioned(&b));
        assert_ne!(on_disk(&a), on_disk(&b));
    }
}
