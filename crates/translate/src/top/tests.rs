use super::*;
use model::process::{Account, CapabilitySets, HostIdentity, Identity};

fn account(id: u32, name: &str) -> Account {
    Account {
        id,
        name: name.to_owned(),
    }
}

/// One of a container's processes, in a container that was started at noon of the day it is looked at.
fn process(pid: i32, arguments: &[&str]) -> Process {
    Process {
        pid,
        ppid: pid - 1,
        pgid: 1,
        sid: 1,
        leads_session: pid == 1,
        in_foreground: true,
        terminal: Some("pts/0".to_owned()),
        name: "sh".to_owned(),
        arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
        state: 'S',
        inside: Identity {
            user: account(0, "root"),
            groups: vec![account(0, "root"), account(10, "wheel")],
            ..Identity::default()
        },
        host: HostIdentity {
            pid: 4711,
            user: account(100_000, "systemd-resolve"),
            groups: vec![0, 10],
            ..HostIdentity::default()
        },
        used_ticks: 6_142,
        started_ticks: 1_000,
        nice: 10,
        threads: 2,
        virtual_bytes: 2_322_432,
        resident_kib: 1_512,
        locked_kib: 0,
        seccomp: Some(2),
        capabilities: CapabilitySets {
            effective: 0b1000_0001,
            permitted: 0x1ff_ffff_ffff,
            ..CapabilitySets::default()
        },
        label: None,
    }
}

fn processes(list: Vec<Process>) -> Processes {
    Processes {
        list,
        taken_at: "2026-11-23T13:02:03.5Z".parse().unwrap(),
        booted_at: "2026-11-23T11:59:50Z"
            .parse::<jiff::Timestamp>()
            .unwrap()
            .as_second(),
        ticks_per_second: 100,
        memory_bytes: 1 << 30,
        own_numbers: true,
    }
}

fn shown(ps_args: &[&str], all: &Processes) -> Result<(String, String), Error> {
    let ps_args: Vec<_> = ps_args.iter().map(|&text| text.to_owned()).collect();
    let table = Columns::parse(&ps_args)?.table(all, &TimeZone::UTC);
    let first = table.processes.unwrap_or_default().into_iter().next();
    Ok((table.titles.join("|"), first.unwrap_or_default().join("|")))
}

fn check(rows: &[(&[&str], &str, &str)]) {
    let all = processes(vec![process(1, &["sh", "-c", "a  b"])]);
    for (ps_args, titles, row) in rows {
        let (found_titles, found) = shown(ps_args, &all).unwrap();
        assert_eq!(
            (found_titles.as_str(), found.as_str()),
            (*titles, *row),
            "{ps_args:?}"
        );
    }
}

#[test]
fn descriptors_are_podmans() {
    check(&[
        (
            &[],
            "USER|PID|PPID|%CPU|ELAPSED|TTY|TIME|COMMAND",
            "root|1|0|1.638|1h2m3.5s|pts/0|1m1s|sh -c a b",
        ),
        (
            &[""],
            "USER|PID|PPID|%CPU|ELAPSED|TTY|TIME|COMMAND",
            "root|1|0|1.638|1h2m3.5s|pts/0|1m1s|sh -c a b",
        ),
        (&["pid,comm", "%n"], "PID|COMMAND|NI", "1|sh|10"),
        (
            &["hpid", "huser", "huid", "hgroups"],
            "HPID|HUSER|HUID|HGROUPS",
            "4711|systemd-resolve|100000|0,10",
        ),
        (
            &["groups,state,seccomp,label"],
            "GROUPS|STATE|SECCOMP|LABEL",
            "root,wheel|S|filter|?",
        ),
        (
            &["capeff,capprm,capamb"],
            "EFFECTIVE CAPS|PERMITTED CAPS|AMBIENT CAPS",
            "CHOWN,SETUID|full|none",
        ),
        (&["vsz", "rss"], "VSZ|RSS", "2268|1512"),
        // what has spaces is parted as Podman's handler parts it
        (
            &["stime", "pid"],
            "STIME|PID",
            "2026-11-23|12:00:00 +0000 UTC 1",
        ),
    ]);
}

#[test]
fn the_arguments_of_ps_that_clients_use_are_carried_out() {
    check(&[
        (
            &["-ef"],
            "UID|PID|PPID|C|STIME|TTY|TIME|CMD",
            "systemd+|1|0|1|12:00|pts/0|00:01:01|sh -c a b",
        ),
        (
            &["aux"],
            "USER|PID|%CPU|%MEM|VSZ|RSS|TTY|STAT|START|TIME|COMMAND",
            "systemd+|1|1.6|0.1|2268|1512|pts/0|SNsl+|12:00|1:01|sh -c a b",
        ),
        (
            &["-aux"],
            "USER|PID|%CPU|%MEM|VSZ|RSS|TTY|STAT|START|TIME|COMMAND",
            "systemd+|1|1.6|0.1|2268|1512|pts/0|SNsl+|12:00|1:01|sh -c a b",
        ),
        (&["-eo pid,cmd"], "PID|CMD", "1|sh -c a b"),
        (
            &["-o", "pid", "-o", "etime,etimes"],
            "PID|ELAPSED|ELAPSED",
            "1|01:02:03|3723",
        ),
        (&["axo uid,pgrp"], "UID|PGRP", "100000|1"),
        (&["-e"], "PID|TTY|TIME|CMD", "1|pts/0|00:01:01|sh"),
        (
            &["ax"],
            "PID|TTY|STAT|TIME|COMMAND",
            "1|pts/0|SNsl+|1:01|sh -c a b",
        ),
        (
            &["aux n"],
            "USER|PID|%CPU|%MEM|VSZ|RSS|TTY|STAT|START|TIME|COMMAND",
            "100000|1|1.6|0.1|2268|1512|pts/0|SNsl+|12:00|1:01|sh -c a b",
        ),
    ]);
}

#[test]
fn what_is_not_carried_out_is_refused_by_name() {
    for (ps_args, expected) in [
        (
            "nosuch",
            "ps(1): error: unknown user-defined format specifier \"such\"",
        ),
        ("pid,nope", "the ps option p is not supported: "),
        ("-eF", "the ps option -F is not supported: "),
        ("--sort pid", "the ps option --sort is not supported: "),
        ("-o pid=", "the ps option o pid= is not supported: "),
        ("-o", "ps(1): error: format specification must follow -o"),
        ("-f u", "ps(1): error: conflicting format options"),
        (
            "\"",
            "parsing ps args: EOF found when expecting closing quote",
        ),
    ] {
        let refused = Columns::parse(&[ps_args.to_owned()])
            .unwrap_err()
            .to_string();
        assert!(refused.starts_with(expected), "{ps_args}: {refused}");
    }
}

#[test]
fn a_zombie_has_a_name_alone() {
    let dead = Process {
        state: 'Z',
        ..process(7, &[])
    };
    let all = processes(vec![dead]);
    assert_eq!(shown(&["args"], &all).unwrap().1, "[sh]");
    assert_eq!(shown(&["-o cmd"], &all).unwrap().1, "[sh] <defunct>");
}

#[test]
fn of_the_hosts_numbers_nothing_is_said_twice() {
    let all = Processes {
        own_numbers: false,
        ..processes(vec![process(1, &["sh"])])
    };
    assert_eq!(shown(&["pid", "hpid", "huser"], &all).unwrap().1, "1|?|?");
}

#[test]
fn no_processes_are_null() {
    let table = Columns::parse(&[])
        .unwrap()
        .table(&processes(Vec::new()), &TimeZone::UTC);
    assert_eq!(table.processes, None);
}

#[test]
fn a_pods_containers_are_in_one_table() {
    let all = [
        processes(vec![process(1, &["sh", "-c", "a  b"])]),
        processes(vec![]),
        processes(vec![process(1, &["b"]), process(2, &["c"])]),
    ];
    let table = |ps_args: &str, all: &[Processes]| {
        let columns = Columns::parse_of_pod(ps_args)?;
        Ok::<_, Error>(columns.table_of_pod(all, &TimeZone::UTC))
    };
    let found = table("pid,,%P,args", &all).unwrap().unwrap();
    assert_eq!(found.titles, ["PID", "PPID", "COMMAND"]);
    let expected = [["1", "0", "sh -c a  b"], ["1", "0", "b"], ["2", "1", "c"]];
    assert_eq!(found.processes.unwrap(), expected);
    assert_eq!(table("", &all[..1]).unwrap().unwrap().titles.len(), 8);
    assert_eq!(table("", &all[1..2]).unwrap(), None);
    let error = table("pid,-ef,x", &all).unwrap_err();
    assert_eq!(error.to_string(), "'-ef': unknown descriptor");
    assert_eq!(error.cause(), "unknown descriptor");
}
