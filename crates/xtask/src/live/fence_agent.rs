//! A power switch for hosts of this machine: the part that every such fence agent has.

/// How the agent reads what it is asked, and says what it is.
const TEMPLATE: &str = r#"#!/bin/sh
action= node= manner=
while read -r line; do
  case $line in
    action=*) action=${line#*=} ;;
    manner=*) manner=${line#*=} ;;
    nodename=*|port=*|plug=*) node=${line#*=} ;;
  esac
done
case $action in
  metadata) cat <<XML
<?xml version="1.0" ?>
<resource-agent name="@NAME@" shortdesc="Power switch of the test hosts">
<longdesc>Ends a test host as a power loss would.</longdesc>
<parameters>
 <parameter name="action" unique="0" required="1"><content type="string" default="off"/><shortdesc lang="en">Fencing action</shortdesc></parameter>
 <parameter name="port" unique="0" required="0"><content type="string"/><shortdesc lang="en">Host to act on</shortdesc></parameter>
 <parameter name="manner" unique="0" required="0"><content type="string"/><shortdesc lang="en">What it does instead</shortdesc></parameter>
</parameters>
<actions><action name="on"/><action name="off"/><action name="reboot"/><action name="status"/>
 <action name="monitor"/><action name="list"/><action name="metadata"/></actions>
</resource-agent>
XML
    ;;
@CASES@  *) exit 1 ;;
esac
"#;

/// The script of a fence agent: `cases` are the shell's for the other actions, with the host in `$node` and the device's parameter `manner` in
/// `$manner`.
pub fn script(name: &str, cases: &str) -> String {
    TEMPLATE.replace("@NAME@", name).replace("@CASES@", cases)
}
