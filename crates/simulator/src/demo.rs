//! The configuration of the demonstration cluster: a group of an address and a web server that prefers
//! node1 and then node2, a fence device, stickiness.

use cluster::{CibChange, CibOperation, Client, Request};

/// The configuration section, monitors every 10 seconds.
pub const CONFIGURATION: &str = r#"<configuration>
  <crm_config>
    <cluster_property_set id="cib-bootstrap-options">
      <nvpair id="opt-fencing" name="stonith-enabled" value="true"/>
    </cluster_property_set>
  </crm_config>
  <nodes/>
  <resources>
    <primitive id="fence" class="stonith" type="fence_demo">
      <instance_attributes id="fence-params">
        <nvpair id="fence-hosts" name="pcmk_host_list" value="node1 node2 node3 node4 node5"/>
      </instance_attributes>
      <operations><op id="fence-monitor" name="monitor" interval="60s" timeout="20s"/></operations>
    </primitive>
    <group id="site">
      <primitive id="VIP" class="ocf" provider="systole" type="address">
        <instance_attributes id="VIP-params"><nvpair id="VIP-ip" name="ip" value="127.0.0.10"/></instance_attributes>
        <operations>
          <op id="VIP-start" name="start" interval="0s" timeout="20s"/>
          <op id="VIP-stop" name="stop" interval="0s" timeout="20s"/>
          <op id="VIP-monitor" name="monitor" interval="10s" timeout="20s"/>
        </operations>
      </primitive>
      <primitive id="WEB" class="ocf" provider="systole" type="web">
        <operations>
          <op id="WEB-start" name="start" interval="0s" timeout="20s"/>
          <op id="WEB-stop" name="stop" interval="0s" timeout="20s"/>
          <op id="WEB-monitor" name="monitor" interval="10s" timeout="20s"/>
        </operations>
      </primitive>
    </group>
  </resources>
  <constraints>
    <rsc_location id="site-node1" rsc="site" node="node1" score="60"/>
    <rsc_location id="site-node2" rsc="site" node="node2" score="45"/>
  </constraints>
  <rsc_defaults>
    <meta_attributes id="rsc-defaults">
      <nvpair id="stickiness" name="resource-stickiness" value="100"/>
    </meta_attributes>
  </rsc_defaults>
</configuration>"#;

/// The same with a promotable clone that wants to be told of everything.
#[must_use]
pub fn with_database() -> String {
    let database = r#"<clone id="dbs">
      <meta_attributes id="dbs-meta">
        <nvpair id="dbs-promotable" name="promotable" value="true"/>
        <nvpair id="dbs-notify" name="notify" value="true"/>
      </meta_attributes>
      <primitive id="db" class="ocf" provider="systole" type="Stateful">
        <operations>
          <op id="db-monitor" name="monitor" interval="10s" timeout="20s"/>
          <op id="db-monitor-promoted" name="monitor" role="Promoted" interval="11s" timeout="20s"/>
        </operations>
      </primitive>
    </clone>
  </resources>"#;
    CONFIGURATION.replace("</resources>", database)
}

/// The request that loads a configuration.
#[must_use]
pub fn load(configuration: &str) -> Request {
    Request::Change(CibChange {
        operation: CibOperation::Replace {
            scope: Some("configuration".to_owned()),
            xpath: None,
            xml: configuration.to_owned(),
        },
        client: Client {
            program: "cibadmin".to_owned(),
            user: Some("root".to_owned()),
            groups: Vec::new(),
            restricted: false,
        },
        dry_run: false,
    })
}

/// The exclusive resources of [`CONFIGURATION`].
pub const RESOURCES: [&str; 2] = ["VIP", "WEB"];
