//! Limits of block I/O, of both faces.

use std::collections::BTreeMap;

use model::Error;
use model::cgroup::{ByCgroup, DeviceLimit};
use podman_api::container::compat::HostConfigRequest;
use podman_api::container::libpod::{ThrottleDevice, UpdateDevices, WeightDevice};
use podman_api::oci;

use crate::fields::{BLOCK_LEAVES, LIBPOD};
use crate::refuse::Body;

/// `resource_limits.blockIO`: devices by their numbers.
pub(super) fn from_oci(block: oci::BlockIo) -> Result<ByCgroup, Error> {
    let oci::BlockIo {
        weight,
        leaf_weight,
        weight_device,
        throttle_read_bps_device,
        throttle_write_bps_device,
        throttle_read_iops_device,
        throttle_write_iops_device,
    } = block;
    let leaves = weight_device
        .iter()
        .any(|device| device.leaf_weight.is_some());
    if leaves || leaf_weight.is_some_and(|weight| weight > 0) {
        let body = Body::new(&LIBPOD).at("resource_limits");
        return Err(body.refusal_of("blockIO", "leafWeight", BLOCK_LEAVES));
    }
    let numbers = |number: i64| u64::try_from(number).unwrap_or(u64::MAX);
    let rates = |list: Vec<oci::ThrottleDevice>| {
        let rate = |device: oci::ThrottleDevice| DeviceLimit {
            path: String::new(),
            major: numbers(device.major),
            minor: numbers(device.minor),
            limit: device.rate,
        };
        list.into_iter().map(rate).collect()
    };
    let weighed = |device: oci::WeightDevice| DeviceLimit {
        path: String::new(),
        major: numbers(device.major),
        minor: numbers(device.minor),
        limit: device.weight.unwrap_or(0).into(),
    };
    Ok(ByCgroup {
        block_weight: weight_of(weight.unwrap_or(0))?,
        weight_devices: weight_device.into_iter().map(weighed).collect(),
        read_bps: rates(throttle_read_bps_device),
        write_bps: rates(throttle_write_bps_device),
        read_iops: rates(throttle_read_iops_device),
        write_iops: rates(throttle_write_iops_device),
        ..ByCgroup::default()
    })
}

/// Devices of a libpod create, by their paths.
pub(crate) fn at_paths(devices: BTreeMap<String, oci::ThrottleDevice>) -> Vec<DeviceLimit> {
    let one = |(path, device): (String, oci::ThrottleDevice)| at_path(path, device.rate);
    devices.into_iter().map(one).collect()
}

/// Their weights.
pub(super) fn weighed_paths(devices: BTreeMap<String, oci::WeightDevice>) -> Vec<DeviceLimit> {
    let weight = |device: &oci::WeightDevice| device.weight.unwrap_or(0).into();
    let one = |(path, device): (String, oci::WeightDevice)| at_path(path, weight(&device));
    devices.into_iter().map(one).collect()
}

/// The limits of a compat create's or update's `HostConfig`.
pub(super) fn from_host_config(config: &HostConfigRequest) -> Result<ByCgroup, Error> {
    Ok(ByCgroup {
        block_weight: weight_of(config.blkio_weight)?,
        weight_devices: weights(&config.blkio_weight_device),
        read_bps: rates(&config.blkio_device_read_bps),
        write_bps: rates(&config.blkio_device_write_bps),
        read_iops: rates(&config.blkio_device_read_iops),
        write_iops: rates(&config.blkio_device_write_iops),
        ..ByCgroup::default()
    })
}

/// Unset is 0. The words are Podman's.
fn weight_of(weight: u16) -> Result<Option<u16>, Error> {
    match weight {
        0 => Ok(None),
        10..=1000 => Ok(Some(weight)),
        _ => Err(Error::Plain(
            "range of blkio weight is from 10 to 1000".to_owned(),
        )),
    }
}

/// Those that stand beside the limits of a libpod update.
pub(super) fn from_update(devices: &UpdateDevices) -> ByCgroup {
    let UpdateDevices {
        weight_device,
        read_bps,
        write_bps,
        read_iops,
        write_iops,
    } = devices;
    ByCgroup {
        weight_devices: weights(weight_device),
        read_bps: rates(read_bps),
        write_bps: rates(write_bps),
        read_iops: rates(read_iops),
        write_iops: rates(write_iops),
        ..ByCgroup::default()
    }
}

fn rates(devices: &[ThrottleDevice]) -> Vec<DeviceLimit> {
    let one = |device: &ThrottleDevice| at_path(device.path.clone(), device.rate);
    devices.iter().map(one).collect()
}

fn weights(devices: &[WeightDevice]) -> Vec<DeviceLimit> {
    let one = |device: &WeightDevice| at_path(device.path.clone(), device.weight.into());
    devices.iter().map(one).collect()
}

fn at_path(path: String, limit: u64) -> DeviceLimit {
    DeviceLimit {
        path,
        limit,
        ..DeviceLimit::default()
    }
}

/// As inspect shows rates.
pub(super) fn shown_rates(devices: &[DeviceLimit]) -> Vec<ThrottleDevice> {
    let one = |device: &DeviceLimit| ThrottleDevice {
        path: shown_path(device),
        rate: device.limit,
    };
    devices.iter().map(one).collect()
}

/// As inspect shows weights.
pub(super) fn shown_weights(devices: &[DeviceLimit]) -> Vec<WeightDevice> {
    let one = |device: &DeviceLimit| WeightDevice {
        path: shown_path(device),
        weight: u16::try_from(device.limit).unwrap_or(u16::MAX),
    };
    devices.iter().map(one).collect()
}

fn shown_path(device: &DeviceLimit) -> String {
    match device.path.as_str() {
        "" => format!("{}:{}", device.major, device.minor),
        path => path.to_owned(),
    }
}
