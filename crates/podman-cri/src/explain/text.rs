//! An explanation for people.

use std::fmt::Write as _;

use model::observed::{RuntimeFacts, RuntimeKind};
use model::record::HANDLER;
use serde_json::Value;
use translate::fields::{Explained, Line, Refusal};

/// Characters of a value that are shown.
const WIDEST: usize = 160;

/// The whole text: what is refused first, then what is carried out, then what asks for nothing.
pub(super) fn write(told: &Explained, runtimes: &[RuntimeFacts]) -> String {
    let mut text = Text {
        out: String::new(),
        runtimes,
        vm: names_handler(told),
    };
    text.line(told.request);
    let refused = |line: &&Line| !line.refused.is_empty();
    text.section("refused", told.fields.iter().filter(refused));
    for refusal in &told.refused {
        text.line(&format!("  the request as a whole: {}", why(refusal)));
    }
    let others = || told.fields.iter().filter(|line| line.refused.is_empty());
    let idle = |line: &&Line| line.way == "no effect";
    text.section("carried out", others().filter(|line| !idle(line)));
    text.section("no effect", others().filter(idle));
    if !told.unknown.is_empty() {
        text.line("\nunknown, which Podman ignores");
        told.unknown
            .iter()
            .for_each(|name| text.line(&format!("  {name}")));
    }
    text.out
}

/// A runtime handler is asked for: its sandboxes may be virtual machines.
fn names_handler(told: &Explained) -> bool {
    told.fields.iter().any(|line| {
        line.cri
            .contains_key("RunPodSandboxRequest.runtime_handler")
            || line.value.get(HANDLER).is_some()
    })
}

struct Text<'a> {
    out: String,
    runtimes: &'a [RuntimeFacts],
    vm: bool,
}

impl Text<'_> {
    fn line(&mut self, text: &str) {
        writeln!(self.out, "{text}").expect("a string takes every text");
    }

    fn section<'a>(&mut self, title: &str, lines: impl Iterator<Item = &'a Line>) {
        let mut lines = lines.peekable();
        if lines.peek().is_some() {
            self.line(&format!("\n{title}"));
        }
        lines.for_each(|line| self.field(line));
    }

    fn field(&mut self, line: &Line) {
        self.value(&format!("  {}", line.names.join(", ")), &line.value);
        for refusal in &line.refused {
            self.line(&format!("      {}", why(refusal)));
        }
        if !line.refused.is_empty() {
            return;
        }
        if !line.how.is_empty() || line.cri.is_empty() {
            self.line(&format!("      {}: {}", line.way, line.how));
        }
        for (path, value) in &line.cri {
            match value {
                Value::Null => self.line(&format!("      {path}")),
                value => self.value(&format!("      {path}"), value),
            }
        }
        self.remarks(line);
    }

    /// A name and its value; of a list of objects, such as mounts, each on a line.
    fn value(&mut self, name: &str, value: &Value) {
        match value
            .as_array()
            .filter(|list| list.iter().any(Value::is_object))
        {
            None => self.line(&format!("{name} = {}", short(value))),
            Some(list) => {
                self.line(&format!("{name} ="));
                for item in list {
                    self.line(&format!("          {}", short(item)));
                }
            }
        }
    }

    fn remarks(&mut self, line: &Line) {
        let on = |kind| self.runtimes.iter().any(|facts| facts.kind == kind);
        let remarks = [
            ("on CRI-O", line.crio, on(RuntimeKind::CriO)),
            (
                "on containerd",
                line.containerd,
                on(RuntimeKind::Containerd),
            ),
            ("if that handler runs VMs (not tried)", line.vm, self.vm),
        ];
        for (place, remark, tell) in remarks {
            if tell && !remark.is_empty() {
                self.line(&format!("      {place}: {remark}"));
            }
        }
    }
}

fn why(refusal: &Refusal) -> String {
    match refusal.on {
        Some(runtime) => format!("on {runtime}: {}", refusal.why),
        None => refusal.why.clone(),
    }
}

/// A value on one line.
fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use translate::container::Host;
    use translate::fields::{Request, explain_body};

    use super::*;

    fn facts(kind: RuntimeKind) -> RuntimeFacts {
        RuntimeFacts {
            kind,
            ..RuntimeFacts::default()
        }
    }

    fn text(body: &Value, kinds: &[RuntimeKind]) -> String {
        let runtimes: Vec<_> = kinds.iter().copied().map(facts).collect();
        let body = body.as_object().unwrap();
        let told = explain_body(Request::Libpod, body, Host::default(), &runtimes).unwrap();
        write(&told, &runtimes)
    }

    #[test]
    fn refused_fields_come_first_with_their_reason() {
        let body = json!({"image": "busybox", "env": {"TOKEN": "hunter2"}, "rootfs_propagation": "shared", "raw_image_name": "b",
            "imege": "x"});
        assert_eq!(
            text(&body, &[RuntimeKind::CriO, RuntimeKind::Containerd]),
            "\
POST /libpod/containers/create

refused
  rootfs_propagation = shared
      rootfs_propagation is not supported: CRI has no field for it; give the propagation with each mount

carried out
  image = busybox
      runtime: found at create in Podman's order; the runtime gets the id
      ImageSpec.image
      ImageSpec.user_specified_image
  env = [\"TOKEN\"]
      ContainerConfig.envs

no effect
  raw_image_name = b
      no effect: the name before Podman's auto-update looks at it

unknown, which Podman ignores
  imege
"
        );
    }

    #[test]
    fn remarks_are_those_of_the_runtime_that_is_there() {
        let body = json!({"image": "a", "stop_signal": "USR1"});
        let remark = "it ignores the field";
        assert!(text(&body, &[RuntimeKind::Containerd]).contains(remark));
        assert!(!text(&body, &[RuntimeKind::CriO]).contains(remark));
        let kata = json!({"image": "a", "stop_signal": "USR1", "oci_runtime": "kata"});
        assert!(text(&kata, &[RuntimeKind::CriO]).contains("runs VMs (not tried)"));
        assert!(!text(&body, &[RuntimeKind::CriO]).contains("VMs"));
    }

    #[test]
    fn long_values_are_cut() {
        let long = "é".repeat(WIDEST + 1);
        assert_eq!(short(&json!(long)).chars().count(), WIDEST + 1);
        assert_eq!(short(&json!("a")), "a");
    }
}
