//! Answers.

use model::Id;
use model::kube::{Played, PlayedPod, TakenDown};
use podman_api::kube::{
    PlayKubePod, PlayKubeReport, PlayKubeVolume, PlaySecret, SecretCreateReport, SecretRmReport,
    VolumeRmReport,
};

use crate::pod::{pod_rm_report, pod_stop_report};

/// The answer to a play: lists without anything are null.
pub fn play_report(played: Played) -> PlayKubeReport {
    let Played {
        volumes,
        secrets,
        pods,
    } = played;
    PlayKubeReport {
        pods: some(pods.into_iter().map(pod).collect()),
        volumes: some(
            volumes
                .into_iter()
                .map(|name| PlayKubeVolume { name })
                .collect(),
        ),
        secrets: some(secrets.into_iter().map(secret).collect()),
        ..PlayKubeReport::default()
    }
}

/// The answer where all of it shall go.
pub fn taken_down_report(down: TakenDown) -> PlayKubeReport {
    let TakenDown {
        stopped,
        removed,
        secrets,
        volumes,
    } = down;
    let stopped = stopped
        .iter()
        .map(|(name, report)| pod_stop_report(report, name));
    let secrets = secrets
        .into_iter()
        .map(|(id, err)| SecretRmReport { id, err });
    let volumes = volumes.map(|all| {
        let reports = all.into_iter().map(|(id, err)| VolumeRmReport { err, id });
        reports.collect()
    });
    PlayKubeReport {
        stop_report: Some(stopped.collect()),
        rm_report: Some(removed.iter().map(pod_rm_report).collect()),
        volume_rm_report: volumes,
        secret_rm_report: Some(secrets.collect()),
        ..PlayKubeReport::default()
    }
}

fn pod(played: PlayedPod) -> PlayKubePod {
    let PlayedPod {
        id,
        containers,
        init_containers,
        told,
        errors,
    } = played;
    PlayKubePod {
        id: id.to_string(),
        containers: some(texts(containers)),
        init_containers: some(texts(init_containers)),
        logs: some(told),
        container_errors: some(errors),
    }
}

fn secret(id: String) -> PlaySecret {
    PlaySecret {
        create_report: SecretCreateReport { id },
    }
}

fn texts(ids: Vec<Id>) -> Vec<String> {
    ids.into_iter().map(|id| id.to_string()).collect()
}

fn some<T>(all: Vec<T>) -> Option<Vec<T>> {
    Some(all).filter(|all| !all.is_empty())
}
