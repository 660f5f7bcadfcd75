//! 1.3 to 2.0: access control (rule 1.2.7), and the wrapper around pairs that 1.0 had.

use super::Editor;
use xml::NodeId;

pub(super) fn apply(editor: &mut Editor<'_>) {
    unwrap_pairs(editor);
    if let Some(acls) = editor.section("acls") {
        access_control(editor, acls);
    }
}

/// Users with permissions of their own become targets with roles (rule 1.2.7).
pub(super) fn access_control(editor: &mut Editor<'_>, acls: NodeId) {
    for role in editor.children(acls, "acl_role") {
        permissions(editor, role);
    }
    for user in editor.children(acls, "acl_user") {
        target(editor, acls, user);
    }
}

fn unwrap_pairs(editor: &mut Editor<'_>) {
    for wrapper in editor.all(&["attributes"]) {
        let Some(block) = editor.doc.parent(wrapper) else { continue };
        editor.changed(wrapper, "Moved the pairs out of the old wrapper");
        for pair in editor.doc.children(wrapper).collect::<Vec<_>>() {
            editor.doc.move_to(pair, block, None);
        }
        editor.doc.remove(wrapper);
    }
}

/// `read`, `write` and `deny` become permissions.
fn permissions(editor: &mut Editor<'_>, holder: NodeId) {
    for permission in editor.doc.children(holder).collect::<Vec<_>>() {
        let kind = editor.doc.name(permission).to_owned();
        if !matches!(kind.as_str(), "read" | "write" | "deny") {
            continue;
        }
        editor.changed(permission, format!("Turned <{kind}> into an acl_permission"));
        editor.doc.set_name(permission, "acl_permission");
        editor.doc.set_attribute(permission, "kind", &kind);
        rename(editor, permission, "ref", "reference");
        rename(editor, permission, "tag", "object-type");
        if let (Some(xpath), Some(attribute)) =
            (editor.attr(permission, "xpath"), editor.attr(permission, "attribute"))
        {
            editor.doc.set_attribute(permission, "xpath", &format!("{xpath}[@{attribute}]"));
            editor.doc.remove_attribute(permission, "attribute");
        }
    }
}

fn rename(editor: &mut Editor<'_>, id: NodeId, old: &str, new: &str) {
    if let Some(value) = editor.attr(id, old) {
        editor.doc.remove_attribute(id, old);
        editor.doc.set_attribute(id, new, &value);
    }
}

/// A user becomes a target; permissions it held itself move to a role of its own.
fn target(editor: &mut Editor<'_>, acls: NodeId, user: NodeId) {
    editor.changed(user, "Turned acl_user into acl_target");
    editor.doc.set_name(user, "acl_target");
    for reference in editor.children(user, "role_ref") {
        editor.doc.set_name(reference, "role");
    }
    let own: Vec<NodeId> =
        editor.doc.children(user).filter(|child| editor.doc.name(*child) != "role").collect();
    if own.is_empty() {
        return;
    }
    let role_id = format!("auto-{}", editor.id_of(user));
    let role = editor.doc.append_element(acls, "acl_role");
    editor.doc.set_attribute(role, "id", &role_id);
    for permission in own {
        editor.doc.move_to(permission, role, None);
    }
    permissions(editor, role);
    let reference = editor.doc.append_element(user, "role");
    editor.doc.set_attribute(reference, "id", &role_id);
}
