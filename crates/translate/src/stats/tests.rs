use super::*;

fn usage(seconds: i64, cpu_nanos: u64) -> Usage {
    let sent = Packets {
        bytes: 468,
        packets: 6,
        ..Packets::default()
    };
    let traffic = Traffic {
        received: Packets {
            bytes: 988,
            packets: 12,
            errors: 1,
            dropped: 2,
        },
        sent,
    };
    let block = |operation: &str, bytes| BlockTraffic {
        major: 8,
        minor: 1,
        operation: operation.to_owned(),
        bytes,
    };
    Usage {
        taken_at: Timestamp::from_second(1_000 + seconds).unwrap(),
        cpu: CpuTime {
            total: cpu_nanos,
            kernel: Some(cpu_nanos / 4),
            per_cpu: Some(vec![cpu_nanos, 0]),
        },
        host_cpu_nanos: 5_000_000_000,
        cpus: 2,
        memory_bytes: 1 << 20,
        memory_limit_bytes: 1 << 22,
        pids: 3,
        block: vec![
            block("Read", 10),
            block("Write", 20),
            block("Total", 30),
            block("read", 5),
        ],
        network: Some(BTreeMap::from([("eth0".to_owned(), traffic)])),
    }
}

fn view(usage: Option<Usage>) -> UsageView {
    UsageView {
        id: "i".to_owned(),
        name: "n".to_owned(),
        started_at: Some(Timestamp::from_second(1_000).unwrap()),
        usage,
    }
}

#[test]
fn shares_are_of_the_time_between_two_answers() {
    let mut reports = LibpodReports::default();
    let mut next = |usage: Option<Usage>| {
        let report = reports.next(&[view(usage)]);
        report.stats.into_iter().next().unwrap()
    };
    let first = next(Some(usage(10, 1_000_000_000)));
    assert_eq!((first.cpu, first.avg_cpu), (10.0, 10.0));
    let second = next(Some(usage(12, 2_000_000_000)));
    assert_eq!((second.cpu, second.avg_cpu.round()), (50.0, 17.0));
    assert_eq!((second.block_input, second.block_output), (15, 20));
    assert_eq!(
        (second.mem_perc, second.pids, second.duration),
        (25.0, 3, 2_000_000_000)
    );
    let traffic = &second.network.unwrap()["eth0"];
    assert_eq!(
        (traffic.rx_bytes, traffic.rx_dropped, traffic.tx_packets),
        (988, 2, 6)
    );
    // it has been started again: less is used
    let third = next(Some(usage(20, 500_000_000)));
    assert_eq!((third.cpu, third.avg_cpu), (2.5, 2.5));
    let ended = next(None);
    assert_eq!((ended.cpu, ended.network, ended.per_cpu), (0.0, None, None));
    assert_eq!(
        (ended.name.as_str(), ended.container_id.as_str()),
        ("n", "i")
    );
}

#[test]
fn one_answer_has_nothing_before_it_and_a_stream_has() {
    let now = view(Some(usage(10, 1_000_000_000)));
    let one = CompatReports::new(Face::Compat, None).next(&now).unwrap();
    assert_eq!(one.preread, "0001-01-01T00:00:00Z");
    assert_eq!(one.precpu_stats, CpuStats::default());
    assert_eq!((one.id.as_str(), one.libpod_id.as_str()), ("i", ""));
    let mut stream = CompatReports::new(Face::Libpod, Some(&now));
    let first = stream.next(&view(Some(usage(11, 1_500_000_000)))).unwrap();
    assert_eq!(
        (first.preread.as_str(), first.read.as_str()),
        ("1970-01-01T00:16:50Z", "1970-01-01T00:16:51Z")
    );
    assert_eq!(first.precpu_stats.cpu_usage.total_usage, 1_000_000_000);
    assert_eq!(
        (first.precpu_stats.online_cpus, first.cpu_stats.online_cpus),
        (0, 2)
    );
    assert_eq!((first.cpu_stats.cpu, first.libpod_id.as_str()), (50.0, "i"));
    assert_eq!(first.cpu_stats.cpu_usage.usage_in_usermode, 1_125_000_000);
    let second = stream.next(&view(Some(usage(12, 1_500_000_000)))).unwrap();
    assert_eq!(
        (second.precpu_stats, second.preread),
        (first.cpu_stats, first.read)
    );
    assert_eq!(stream.next(&view(None)), None);
}

#[test]
fn what_is_not_known_is_told_as_podman_tells_nothing() {
    let mut told = usage(10, 1_000_000_000);
    told.cpu.kernel = None;
    told.cpu.per_cpu = None;
    told.memory_limit_bytes = 0;
    told.pids = 0;
    told.block.clear();
    let view = view(Some(told));
    let one = CompatReports::new(Face::Compat, None).next(&view).unwrap();
    let cpu = one.cpu_stats.cpu_usage;
    let modes = (cpu.usage_in_kernelmode, cpu.usage_in_usermode);
    assert_eq!((cpu.total_usage, modes), (1_000_000_000, (0, 0)));
    let pod = of_pod(&PodUsage {
        pod: "p".to_owned(),
        container: view,
    });
    assert_eq!(
        (pod.block_io.as_str(), pod.pids.as_str()),
        ("-- / --", "--")
    );
    assert_eq!((pod.mem.as_str(), pod.cpu.as_str()), ("0.00%", "10.00%"));
}

#[test]
fn on_the_hosts_network_there_is_none_of_its_own() {
    let host = view(Some(Usage {
        network: None,
        ..usage(1, 1)
    }));
    let mut reports = LibpodReports::default();
    assert_eq!(
        reports.next(std::slice::from_ref(&host)).stats[0].network,
        None
    );
    let shown = CompatReports::new(Face::Compat, None).next(&host).unwrap();
    assert!(shown.networks.is_empty());
}

#[test]
fn containers_of_pods_are_told_in_words() {
    let container = |usage| UsageView {
        id: "0123456789abcdef".to_owned(),
        ..view(usage)
    };
    let pod = |usage| PodUsage {
        pod: "fedcba9876543210".to_owned(),
        container: container(usage),
    };
    let stats = pod_stats(&[pod(Some(usage(10, 1_000_000_000))), pod(None)]);
    let expected = PodStats {
        cpu: "10.00%".to_owned(),
        mem_usage: "1.049MB / 4.194MB".to_owned(),
        mem_usage_bytes: "1MiB / 4MiB".to_owned(),
        mem: "25.00%".to_owned(),
        net_io: "988B / 468B".to_owned(),
        block_io: "15B / 20B".to_owned(),
        pids: "3".to_owned(),
        pod: "fedcba987654".to_owned(),
        cid: "0123456789ab".to_owned(),
        name: "n".to_owned(),
    };
    assert_eq!(stats[0], expected);
    let nothing = || "-- / --".to_owned();
    let down = PodStats {
        cpu: "0.00%".to_owned(),
        mem_usage: nothing(),
        mem_usage_bytes: nothing(),
        mem: "0.00%".to_owned(),
        net_io: nothing(),
        block_io: nothing(),
        pids: "--".to_owned(),
        ..expected
    };
    assert_eq!(stats[1], down);
}
