//! `pcs resource bundle …`: containers with what runs in them (rule 5d.3).

use xml::NodeId;

use super::constraint::Told;
use super::words::{Options, Result, pairs, sections};
use crate::configuration::{Configuration, check_id};

const KEYWORDS: [&str; 5] = ["container", "network", "port-map", "storage-map", "meta"];
const CONTAINER: [&str; 7] =
    ["image", "masters", "network", "options", "promoted-max", "replicas", "replicas-per-host"];
const NETWORK: [&str; 5] = ["add-host", "control-port", "host-interface", "host-netmask", "ip-range-start"];
const PORT: [&str; 4] = ["id", "internal-port", "port", "range"];
const STORAGE: [&str; 5] = ["id", "options", "source-dir", "source-dir-root", "target-dir"];

/// `bundle create B container docker|podman image=… [network …] [port-map …]… [storage-map …]… [meta …]`.
pub fn create(configuration: &mut Configuration, words: &[String], options: &Options) -> Result<Told> {
    let (head, parts) = sections(words, &KEYWORDS);
    let [id] = head else { return Err("usage: pcs resource bundle create <bundle id> container ...".into()) };
    check_id(id, "bundle name")?;
    if configuration.by_id(id).is_some() {
        return Err(format!("'{id}' already exists").into());
    }
    let section = configuration.section_or_new("resources");
    let bundle = configuration.document.append_element(section, "bundle");
    configuration.document.set_attribute(bundle, "id", id);
    let (kind, settings) = container(&parts)?;
    if !settings.iter().any(|(name, _)| name == "image") {
        return Err("required option 'image' is missing".into());
    }
    let element = configuration.document.append_element(bundle, kind);
    set(configuration, element, &settings);
    let network = of(&parts, "network", &NETWORK)?.concat();
    let ports = of(&parts, "port-map", &PORT)?;
    if !network.is_empty() || !ports.is_empty() {
        let element = configuration.document.append_element(bundle, "network");
        set(configuration, element, &network);
        for port in &ports {
            add_port(configuration, element, id, port)?;
        }
    }
    for storage in of(&parts, "storage-map", &STORAGE)? {
        add_storage(configuration, bundle, id, &storage)?;
    }
    let mut meta = Vec::new();
    for (_, words) in parts.iter().filter(|(keyword, _)| *keyword == "meta") {
        meta.extend(pairs(words)?);
    }
    if options.flag("--disabled") {
        meta.push(("target-role".to_owned(), "Stopped".to_owned()));
    }
    if !meta.is_empty() {
        configuration.set_meta(bundle, &meta);
    }
    Ok(Told::default())
}

/// `bundle update B [container …] [network …] [port-map (add …)|(delete ID…)]… [storage-map …]… [meta …]`.
pub fn update(configuration: &mut Configuration, words: &[String]) -> Result<Told> {
    let (head, parts) = sections(words, &KEYWORDS);
    let [id] = head else { return Err("usage: pcs resource bundle update <bundle id> ...".into()) };
    let found = configuration.resource(id).filter(|found| configuration.name(*found) == "bundle");
    let bundle = found.ok_or_else(|| format!("bundle '{id}' does not exist"))?;
    for (keyword, words) in parts {
        match keyword {
            "container" => {
                let kinds = ["docker", "podman"];
                let element = kinds.iter().find_map(|kind| configuration.child(bundle, kind));
                let element = element.ok_or("the bundle has a container of a kind that pcs cannot change")?;
                set(configuration, element, &checked(words, &CONTAINER)?);
            }
            "network" => {
                let network = network(configuration, bundle);
                set(configuration, network, &checked(words, &NETWORK)?);
            }
            "meta" => configuration.set_meta(bundle, &pairs(words)?),
            map => update_map(configuration, bundle, id, map, words)?,
        }
    }
    Ok(Told::default())
}

fn update_map(
    configuration: &mut Configuration,
    bundle: NodeId,
    id: &str,
    map: &str,
    words: &[String],
) -> Result<()> {
    let port = map == "port-map";
    match words.split_first().map(|(verb, rest)| (verb.as_str(), rest)) {
        Some(("add", rest)) if port => {
            let settings = checked(rest, &PORT)?;
            let network = network(configuration, bundle);
            add_port(configuration, network, id, &settings)
        }
        Some(("add", rest)) => add_storage(configuration, bundle, id, &checked(rest, &STORAGE)?),
        Some(("delete" | "remove", ids)) if !ids.is_empty() => {
            for mapping in ids {
                let name = if port { "port-mapping" } else { "storage-mapping" };
                let inside = configuration.descendants(bundle);
                let found = inside.into_iter().find(|element| {
                    configuration.name(*element) == name && configuration.id(*element) == mapping
                });
                let element = found.ok_or_else(|| format!("{map} '{mapping}' does not exist"))?;
                configuration.document.remove(element);
            }
            Ok(())
        }
        _ => Err(format!("expected: {map} add <options> | delete <id>...").into()),
    }
}

/// Its kind and settings; docker unless told.
fn container(parts: &[(&str, &[String])]) -> Result<(&'static str, Vec<(String, String)>)> {
    let words = parts.iter().find(|(keyword, _)| *keyword == "container").map(|(_, words)| *words);
    let (kind, rest) = match words.unwrap_or_default() {
        [kind, rest @ ..] if !kind.contains('=') => (kind.as_str(), rest),
        rest => ("docker", rest),
    };
    let kind = match kind {
        "docker" => "docker",
        "podman" => "podman",
        other => {
            return Err(
                format!("'{other}' is not a valid container type value, use 'docker', 'podman'").into()
            );
        }
    };
    Ok((kind, checked(rest, &CONTAINER)?))
}

/// The settings of each section of this keyword.
fn of(parts: &[(&str, &[String])], keyword: &str, allowed: &[&str]) -> Result<Vec<Vec<(String, String)>>> {
    let chosen = parts.iter().filter(|(known, _)| *known == keyword);
    chosen.map(|(_, words)| checked(words, allowed)).collect()
}

fn network(configuration: &mut Configuration, bundle: NodeId) -> NodeId {
    if let Some(network) = configuration.child(bundle, "network") {
        return network;
    }
    // right behind the container
    configuration.document.insert_element(bundle, 1, "network")
}

fn add_port(
    configuration: &mut Configuration,
    network: NodeId,
    bundle: &str,
    settings: &[(String, String)],
) -> Result<()> {
    let value =
        |name: &str| settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let what = match (value("port"), value("range")) {
        (Some(port), None) => port,
        (None, Some(range)) => range,
        (Some(_), Some(_)) => {
            return Err("Only one of port-map options 'port' and 'range' can be used".into());
        }
        (None, None) => return Err("port-map option 'port' or 'range' has to be specified".into()),
    };
    let id = free(configuration, value("id"), &format!("{bundle}-port-map-{what}"))?;
    let element = configuration.document.append_element(network, "port-mapping");
    set_mapping(configuration, element, &id, settings);
    Ok(())
}

fn add_storage(
    configuration: &mut Configuration,
    bundle_element: NodeId,
    bundle: &str,
    settings: &[(String, String)],
) -> Result<()> {
    let value =
        |name: &str| settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    if value("target-dir").is_none() {
        return Err("required storage-map option 'target-dir' is missing".into());
    }
    if value("source-dir").is_some() == value("source-dir-root").is_some() {
        return Err(
            "exactly one of storage-map options 'source-dir' and 'source-dir-root' has to be specified"
                .into(),
        );
    }
    let id = free(configuration, value("id"), &format!("{bundle}-storage-map"))?;
    let storage = match configuration.child(bundle_element, "storage") {
        Some(storage) => storage,
        None => {
            let before = configuration.children(bundle_element);
            let place = before.iter().take_while(|child| {
                matches!(configuration.name(**child), "docker" | "podman" | "rkt" | "network")
            });
            let place = place.count();
            configuration.document.insert_element(bundle_element, place, "storage")
        }
    };
    let element = configuration.document.append_element(storage, "storage-mapping");
    set_mapping(configuration, element, &id, settings);
    Ok(())
}

fn set_mapping(configuration: &mut Configuration, element: NodeId, id: &str, settings: &[(String, String)]) {
    configuration.document.set_attribute(element, "id", id);
    set(configuration, element, settings);
}

fn free(configuration: &Configuration, given: Option<&str>, usual: &str) -> Result<String> {
    let Some(id) = given else { return Ok(configuration.free_id(usual)) };
    check_id(id, "id")?;
    if configuration.by_id(id).is_some() {
        return Err(format!("'{id}' already exists").into());
    }
    Ok(id.to_owned())
}

fn checked(words: &[String], allowed: &[&str]) -> Result<Vec<(String, String)>> {
    let given = pairs(words)?;
    match given.iter().find(|(name, _)| !allowed.contains(&name.as_str())) {
        None => Ok(given),
        Some((name, _)) => {
            let names: Vec<String> = allowed.iter().map(|name| format!("'{name}'")).collect();
            Err(format!("invalid option '{name}', allowed options are: {}", names.join(", ")).into())
        }
    }
}

fn set(configuration: &mut Configuration, element: NodeId, settings: &[(String, String)]) {
    for (name, value) in settings.iter().filter(|(name, _)| name != "id") {
        if value.is_empty() {
            configuration.document.remove_attribute(element, name);
        } else {
            configuration.document.set_attribute(element, name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn resources(configuration: &Configuration) -> String {
        let text = configuration.document.to_string();
        text.split_once("<resources>").unwrap().1.split_once("</resources>").unwrap().0.to_owned()
    }

    #[test]
    fn a_bundle_is_made_and_changed() {
        let mut cib = Configuration::new(xml::Document::parse("<cib><configuration/></cib>").unwrap());
        let line = "B container podman image=web:1 replicas=2 network ip-range-start=10.0.0.5 port-map port=80 \
                    storage-map source-dir=/srv target-dir=/var/www meta target-role=Stopped";
        create(&mut cib, &words(line), &Options::default()).unwrap();
        assert_eq!(
            resources(&cib),
            r#"<bundle id="B"><podman image="web:1" replicas="2"/><network ip-range-start="10.0.0.5"><port-mapping id="B-port-map-80" port="80"/></network><storage><storage-mapping id="B-storage-map" source-dir="/srv" target-dir="/var/www"/></storage><meta_attributes id="B-meta_attributes"><nvpair id="B-meta_attributes-target-role" name="target-role" value="Stopped"/></meta_attributes></bundle>"#
        );
        let line = "B container image=web:2 port-map add range=8000-8010 port-map delete B-port-map-80";
        update(&mut cib, &words(line)).unwrap();
        let text = resources(&cib);
        assert!(
            text.contains("web:2") && text.contains("B-port-map-8000-8010") && !text.contains("map-80\""),
            "{text}"
        );
        let refused = create(&mut cib, &words("C container rkt image=x"), &Options::default()).unwrap_err();
        assert_eq!(refused.message, "'rkt' is not a valid container type value, use 'docker', 'podman'");
    }
}
