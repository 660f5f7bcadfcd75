//! Option tables as data, and the cluster options in force (rule 1.4).

mod cluster;

pub use cluster::{
    ClusterOptions, EffectiveOptions, FencingAction, HealthStrategy, NoQuorumPolicy, PlacementStrategy,
};
