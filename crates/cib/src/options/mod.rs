//! Option tables as data, and the cluster options in force (rule 1.4).

mod cluster;
mod read;
mod tables;

pub use cluster::{
    ClusterOptions, EffectiveOptions, FencingAction, HealthStrategy, NoQuorumPolicy, PlacementStrategy,
};
pub use tables::{
    CLUSTER_OPTIONS, FENCING_PARAMETERS, OPERATION_ATTRIBUTES, OptionInfo, OptionKind,
    RESOURCE_META_ATTRIBUTES, closest, did_you_mean, find,
};
