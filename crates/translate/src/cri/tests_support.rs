//! Records and orders for the tests of this module.

use jiff::Timestamp;
use model::Id;
use model::container::{ContainerRecord, ContainerSpec, Dns, Progress};
use model::observed::RuntimeFacts;
use model::order::SandboxOrder;
use model::pod::{PodSpec, Role, SandboxProgress, SandboxRecord};

pub(super) fn facts() -> RuntimeFacts {
    RuntimeFacts {
        unified_cgroups: true,
        ..RuntimeFacts::default()
    }
}

pub(super) fn sandbox(role: Role) -> SandboxRecord {
    SandboxRecord {
        id: Id::generate(),
        role,
        name: "web".to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
        spec: PodSpec::default(),
        progress: SandboxProgress::default(),
    }
}

pub(super) fn sandbox_order<'a>(
    record: &'a SandboxRecord,
    runtime: &'a RuntimeFacts,
) -> SandboxOrder<'a> {
    SandboxOrder {
        owner: "owner-uuid",
        record,
        attempt: 3,
        hostname: "host".to_owned(),
        log_directory: "/log".into(),
        privileged: false,
        dns: Dns::default(),
        handler: String::new(),
        told_to_guest: std::collections::BTreeMap::new(),
        runtime,
    }
}

pub(super) fn container(sandbox: &SandboxRecord) -> ContainerRecord {
    ContainerRecord {
        id: Id::generate(),
        name: "web".to_owned(),
        sandbox: sandbox.id.clone(),
        created_at: Timestamp::UNIX_EPOCH,
        spec: ContainerSpec::default(),
        progress: Progress::default(),
    }
}
