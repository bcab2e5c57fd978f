//! Membership in a failover cluster. The feature's service alone is no evidence; the cluster's own data are.

use hvm_model::found::Place;
use hvm_model::host::ClusterMembership;

use super::Reading;
use super::registry::Looked;

pub(super) fn read(reading: &Reading<'_>) -> Option<ClusterMembership> {
    let mut places = Vec::new();
    let name = match reading.system.text(r"Services\ClusSvc\Parameters", "ClusterName") {
        Looked::Here(name, place) => {
            places.push(place);
            Some(name).filter(|name| !name.is_empty())
        }
        _ => None,
    };
    let database = reading.variables.system_root().join(r"Cluster\CLUSDB");
    if reading.tree.exists(&database) {
        places.push(Place::new(database.as_str(), ""));
    }
    (!places.is_empty()).then_some(ClusterMembership { name, places })
}
