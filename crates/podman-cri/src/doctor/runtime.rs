//! The runtime itself: which, its image service, streaming, events, handlers.

use model::handler::Handler;
use model::observed::RuntimeKind;

use super::report::Line;
use super::seen::RuntimeSeen;

pub(super) fn lines(seen: &RuntimeSeen) -> Vec<Line> {
    let mut lines = vec![runtime(seen), namespaces(seen), images(seen)];
    lines.extend(sandbox_image(seen));
    lines.extend([
        streaming(seen),
        events(seen),
        handlers(seen),
        user_namespaces(seen),
    ]);
    lines
}

/// No runtime answers.
pub(super) fn none(why: &str) -> Line {
    Line::problem(
        "runtime",
        why,
        "start CRI-O or containerd (its CRI plugin must not stand in disabled_plugins), or name its socket with \
         --runtime-endpoint",
    )
}

fn runtime(seen: &RuntimeSeen) -> Line {
    let facts = &seen.facts;
    let found = format!(
        "{} {}, CRI {}, at {}",
        facts.name, facts.version, seen.cri_version, facts.endpoint
    );
    let bad = seen
        .conditions
        .iter()
        .find(|(kind, ready, _)| kind == "RuntimeReady" && !ready);
    match (bad, facts.kind, seen.config.is_null()) {
        (Some((_, _, why)), ..) => Line::problem(
            "runtime",
            format!("{found}; it is not ready: {why}"),
            "look into the runtime's log",
        ),
        (None, RuntimeKind::Other, _) => Line::note(
            "runtime",
            found,
            "only CRI-O and containerd are tried: what lies beside CRI (what a container wrote, for one) is lost here \
             when it starts again",
        ),
        (None, RuntimeKind::Containerd, _) if facts.version.starts_with("1.") => Line::note(
            "runtime",
            found,
            "containerd 1 has no events before 1.7 and no CRI 1.36; 2.1 has events",
        ),
        (None, ..) => Line::ok("runtime", found),
    }
}

/// tmpfs mounts are made here and given to the runtime, signals go to the containers' processes.
fn namespaces(seen: &RuntimeSeen) -> Line {
    let check = "namespaces";
    match seen.peer {
        None => Line::note(
            check,
            "the runtime's process cannot be seen",
            "run podman-cri on the runtime's own node, in the host's mount and PID namespace",
        ),
        Some(peer) if peer.same_mount_namespace && peer.same_pid_namespace => Line::ok(
            check,
            format!("shared with the runtime (process {})", peer.pid),
        ),
        Some(peer) => Line::problem(
            check,
            format!(
                "the runtime (process {}) has another mount or PID namespace",
                peer.pid
            ),
            "run podman-cri in the runtime's mount and PID namespace: mounts and signals do not reach it otherwise",
        ),
    }
}

fn images(seen: &RuntimeSeen) -> Line {
    match &seen.images {
        Ok(count) => Line::ok("images", format!("{count} in the image service")),
        Err(error) => Line::problem(
            "images",
            error,
            "name the image service's socket with --image-endpoint, if it is another",
        ),
    }
}

/// The image that sandboxes are made of; none where the runtime does not say.
fn sandbox_image(seen: &RuntimeSeen) -> Option<Line> {
    let (name, there) = seen.sandbox_image.as_ref()?;
    Some(match there {
        true => Line::ok("sandbox image", name),
        false => Line::note(
            "sandbox image",
            format!("{name} is not there"),
            "the runtime pulls it for the first sandbox; without a way to its registry no container starts: pull or \
             load it, or name another in the runtime's configuration (pause_image, sandbox_image)",
        ),
    })
}

fn streaming(seen: &RuntimeSeen) -> Line {
    let address = ["/crio/api/stream_address", "/streamServerAddress"];
    let address = address.iter().find_map(|path| seen.text(path));
    let tls = ["/crio/api/stream_enable_tls", "/enableTLSStreaming"];
    let tls = tls
        .iter()
        .any(|path| seen.setting(path).and_then(serde_json::Value::as_bool) == Some(true));
    let loopback =
        |address: &str| matches!(address, "localhost" | "::1") || address.starts_with("127.");
    match (address, tls) {
        (None, _) => Line::note(
            "streaming",
            "the runtime does not say where it serves streams",
            "nothing, where exec works; else let the runtime serve streams on 127.0.0.1 (stream_address, stream_server_address)",
        ),
        (Some(address), _) if loopback(address) => Line::ok("streaming", format!("on {address}")),
        (Some(address), true) => Line::ok("streaming", format!("on {address}, with TLS")),
        (Some(address), false) => Line::note(
            "streaming",
            format!("on {address}, without TLS"),
            "let the runtime serve streams on 127.0.0.1 (stream_address, stream_server_address): who reaches that port \
             and knows a token is in a container",
        ),
    }
}

fn events(seen: &RuntimeSeen) -> Line {
    let off = seen
        .setting("/crio/runtime/enable_pod_events")
        .and_then(serde_json::Value::as_bool)
        == Some(false);
    match (off, seen.events) {
        (true, _) => Line::note(
            "events",
            "CRI-O sends none: it is listed twice a second instead",
            "set enable_pod_events = true in [crio.runtime] and restart CRI-O",
        ),
        (false, true) => Line::ok("events", "GetContainerEvents is served"),
        (false, false) => Line::note(
            "events",
            "the runtime has none: it is listed twice a second instead",
            "containerd has them from 1.7 on",
        ),
    }
}

fn handlers(seen: &RuntimeSeen) -> Line {
    let facts = &seen.facts;
    let default = match facts.default_handler.as_str() {
        "" => "the runtime does not say which is its default".to_owned(),
        name => format!("default {name}"),
    };
    let shown: Vec<_> = facts.handlers.iter().map(shown_handler).collect();
    match shown.is_empty() {
        true => Line::note(
            "handlers",
            "the runtime does not list its handlers",
            "nothing: one that is unknown is refused when a container starts",
        ),
        false => Line::ok("handlers", format!("{} ({default})", shown.join(", "))),
    }
}

/// A handler's name, and what its containers live in.
fn shown_handler(handler: &Handler) -> String {
    let name = &handler.name;
    match &handler.guest {
        None => name.clone(),
        Some(guest) if guest.is_remote() => format!("{name} [peer pods]"),
        Some(guest) => format!("{name} [virtual machines {}]", guest.hypervisor),
    }
}

/// Whether containers can have a user namespace: CRI-O makes them whatever it says of its handlers (measured).
fn user_namespaces(seen: &RuntimeSeen) -> Line {
    const NAME: &str = "user namespaces";
    let facts = &seen.facts;
    let able = facts.user_namespaces.as_deref().map(|able| {
        let named = able.iter().filter(|name| !name.is_empty());
        named.map(String::as_str).collect::<Vec<_>>().join(", ")
    });
    match able {
        _ if facts.kind == RuntimeKind::CriO && !facts.takes_userns_options() => Line::note(
            NAME,
            "CRI-O before 1.25 makes none that is asked for",
            "--userns and --uidmap are refused; CRI-O from 1.25 on makes them",
        ),
        _ if facts.kind == RuntimeKind::CriO => Line::ok(NAME, "made by CRI-O, for every handler"),
        Some(_) if facts.kind == RuntimeKind::Containerd => Line::note(
            NAME,
            "refused on containerd: it maps the owners of an image's files where it mounts them, and they are read beside it here",
            "use CRI-O for containers with --userns or --uidmap",
        ),
        Some(able) if !able.is_empty() => Line::ok(NAME, format!("made by the handlers {able}")),
        Some(_) => Line::note(
            NAME,
            "no handler of the runtime's makes them",
            "--userns and --uidmap are refused; the OCI runtime has to map the ids of mounts: runc from 1.2 or crun from 1.9 on",
        ),
        None => Line::note(
            NAME,
            "the runtime does not tell whether it makes them",
            "--userns and --uidmap are refused; CRI-O makes them",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Mark;
    use super::super::seen::Peer;
    use super::*;
    use serde_json::json;

    /// A check, what it is given, and what must come out.
    type Row = (fn(&RuntimeSeen) -> Line, RuntimeSeen, Mark, &'static str);

    fn with(change: impl FnOnce(&mut RuntimeSeen)) -> RuntimeSeen {
        let mut seen = super::super::tests::crio();
        change(&mut seen);
        seen
    }

    #[test]
    fn each_check_of_the_runtime_judges() {
        let not_ready = vec![("RuntimeReady".to_owned(), false, "why".to_owned())];
        let other = Peer {
            pid: 7,
            same_mount_namespace: false,
            same_pid_namespace: true,
        };
        let rows: [Row; 13] = [
            (runtime, with(|_| {}), Mark::Ok, "cri-o 1.36.3, CRI v1"),
            (
                runtime,
                with(|s| s.conditions = not_ready),
                Mark::Problem,
                "not ready: why",
            ),
            (
                runtime,
                with(|s| s.facts.kind = RuntimeKind::Other),
                Mark::Note,
                "cri-o",
            ),
            (namespaces, with(|_| {}), Mark::Ok, "process 7"),
            (
                namespaces,
                with(|s| s.peer = None),
                Mark::Note,
                "cannot be seen",
            ),
            (
                namespaces,
                with(|s| s.peer = Some(other)),
                Mark::Problem,
                "another mount or PID",
            ),
            (
                images,
                with(|s| s.images = Err("no".to_owned())),
                Mark::Problem,
                "no",
            ),
            (streaming, with(|_| {}), Mark::Ok, "127.0.0.1"),
            (
                streaming,
                with(|s| s.config = json!({"streamServerAddress": "0.0.0.0"})),
                Mark::Note,
                "without TLS",
            ),
            (events, with(|_| {}), Mark::Ok, "served"),
            (
                events,
                with(|s| s.config = json!({"crio": {"runtime": {"enable_pod_events": false}}})),
                Mark::Note,
                "CRI-O sends none",
            ),
            (events, with(|s| s.events = false), Mark::Note, "has none"),
            (
                handlers,
                with(|_| {}),
                Mark::Ok,
                "crun, runc (default runc)",
            ),
        ];
        judge(rows);
        let absent = with(|s| s.sandbox_image = Some(("pause".to_owned(), false)));
        assert_eq!(sandbox_image(&absent).unwrap().mark, Mark::Note);
        assert_eq!(sandbox_image(&with(|s| s.sandbox_image = None)), None);
    }

    fn judge(rows: impl IntoIterator<Item = Row>) {
        for (check, seen, mark, found) in rows {
            let line = check(&seen);
            assert_eq!(line.mark, mark, "{line:?}");
            assert!(line.found.contains(found), "{line:?}");
        }
    }

    #[test]
    fn user_namespaces_are_what_the_runtime_tells_of_them() {
        let telling = |kind: RuntimeKind, able: Option<&[&str]>| {
            let able = able.map(|names| names.iter().map(ToString::to_string).collect());
            with(|s| {
                s.facts.kind = kind;
                s.facts.user_namespaces = able;
            })
        };
        let old = with(|s| "1.24.6".clone_into(&mut s.facts.version));
        let (containerd, other) = (RuntimeKind::Containerd, RuntimeKind::Other);
        let able: &[&str] = &["", "runc"];
        let told = [
            (with(|_| {}), Mark::Ok, "every handler"),
            (old, Mark::Note, "CRI-O before 1.25"),
            (telling(containerd, None), Mark::Note, "does not tell"),
            // whatever it says of its handlers: such a request is refused
            (
                telling(containerd, Some(&[])),
                Mark::Note,
                "refused on containerd",
            ),
            (
                telling(containerd, Some(able)),
                Mark::Note,
                "refused on containerd",
            ),
            (telling(other, Some(&[])), Mark::Note, "no handler"),
            (telling(other, Some(able)), Mark::Ok, "handlers runc"),
        ];
        let rows: [Row; 7] =
            told.map(|(seen, mark, found)| -> Row { (user_namespaces, seen, mark, found) });
        judge(rows);
    }
}
