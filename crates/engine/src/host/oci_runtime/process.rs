//! The `process` of an OCI configuration for one command: the container's own, with what was asked for changed. No IO.

use accounts::Account;
use model::exec::TerminalSize;
use serde_json::{Map, Value, json};

/// What is to differ from the container's own process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// The command and its arguments.
    pub(crate) args: Vec<String>,
    /// `KEY=VALUE`, over the container's environment; the last of a name counts.
    pub(crate) env: Vec<String>,
    /// The working directory, where it is another one.
    pub(crate) work_dir: Option<String>,
    /// Who executes it, where it is somebody else.
    pub(crate) user: Option<Account>,
    /// What it may do.
    pub(crate) capabilities: Capabilities,
}

/// What a command may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Capabilities {
    /// What the container may.
    #[default]
    OfTheContainer,
    /// These, with `CAP_`: all that there are, for `Privileged`.
    All(Vec<String>),
}

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// The new process. What is not named here stays as the container has it: limits, no-new-privileges, labels, profiles
/// (so does seccomp, which the OCI runtime takes from the container). With Podman they stay too, `Privileged` or not.
pub(super) fn changed(own: &Object, order: Order, tty: bool, size: Option<TerminalSize>) -> Object {
    let Order {
        args,
        env,
        work_dir,
        user,
        capabilities,
    } = order;
    let mut process = own.clone();
    let mut set = |name: &str, value| process.insert(name.to_owned(), value);
    set(
        "capabilities",
        capabilities_of(own, user.as_ref(), capabilities),
    );
    set("args", json!(args));
    set("env", environment(own, env, user.as_ref()));
    set("terminal", json!(tty));
    if let Some(dir) = work_dir {
        set("cwd", json!(dir));
    }
    if let Some(account) = user {
        set("user", user_of(own, &account));
    }
    process.remove("consoleSize");
    if let Some(TerminalSize { width, height }) = size.filter(|_| tty) {
        let size = json!({ "width": width, "height": height });
        process.insert("consoleSize".to_owned(), size);
    }
    process
}

/// A part of an object that is one itself.
fn part(of: &Object, name: &str) -> Object {
    let part = of.get(name).and_then(Value::as_object);
    part.cloned().unwrap_or_default()
}

/// Somebody else, with the container's umask.
fn user_of(own: &Object, account: &Account) -> Value {
    let Account {
        uid,
        gid,
        groups,
        home: _, // in the environment
    } = account;
    let mut user = part(own, "user");
    user.insert("uid".to_owned(), json!(uid));
    user.insert("gid".to_owned(), json!(gid));
    user.insert("additionalGids".to_owned(), json!(groups));
    Value::Object(user)
}

/// The container's environment, `HOME` of somebody else, and over both what was asked for.
fn environment(own: &Object, asked: Vec<String>, user: Option<&Account>) -> Value {
    let name = |pair: &str| pair.split('=').next().map(ToOwned::to_owned);
    let home = user.map(|account| format!("HOME={}", account.home));
    let there = own.get("env").and_then(Value::as_array);
    let mut all: Vec<String> = there
        .into_iter()
        .flatten()
        .filter_map(|pair| pair.as_str().map(ToOwned::to_owned))
        .collect();
    for pair in home.into_iter().chain(asked) {
        all.retain(|known| name(known) != name(&pair));
        all.push(pair);
    }
    json!(all)
}

/// Podman's rules (measured): the bound is the container's, or everything; root has all of it; the container's own user has
/// what the container's process has; nobody else has anything.
fn capabilities_of(own: &Object, user: Option<&Account>, wanted: Capabilities) -> Value {
    let mut all = part(own, "capabilities");
    let bounding = match wanted {
        Capabilities::OfTheContainer => all.get("bounding").cloned().unwrap_or(json!([])),
        Capabilities::All(names) => json!(names),
    };
    let uid = match user {
        Some(account) => Some(u64::from(account.uid)),
        None => part(own, "user").get("uid").and_then(Value::as_u64),
    };
    match (uid, user) {
        (Some(0) | None, _) => {
            json!({ "bounding": bounding, "effective": bounding, "permitted": bounding })
        }
        (_, None) => {
            all.insert("bounding".to_owned(), bounding);
            Value::Object(all)
        }
        (_, Some(_)) => json!({ "bounding": bounding }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Object {
        let own = json!({
            "terminal": true,
            "consoleSize": { "width": 1, "height": 2 },
            "user": { "uid": 1, "gid": 2, "additionalGids": [2, 3], "umask": 18 },
            "args": ["sleep", "1"],
            "env": ["PATH=/bin", "HOME=/own", "A=1"],
            "cwd": "/own",
            "capabilities": {
                "bounding": ["CAP_KILL", "CAP_CHOWN"],
                "effective": ["CAP_KILL"],
                "permitted": ["CAP_KILL"],
                "inheritable": ["CAP_KILL"],
                "ambient": ["CAP_KILL"],
            },
            "noNewPrivileges": true,
            "apparmorProfile": "crio-default",
            "oomScoreAdj": 7,
        });
        own.as_object().unwrap().clone()
    }

    fn account(uid: u32, home: &str) -> Account {
        Account {
            uid,
            gid: 5,
            groups: vec![6],
            home: home.to_owned(),
        }
    }

    #[test]
    fn what_was_asked_for_is_changed_and_nothing_else() {
        let order = Order {
            args: vec!["id".to_owned()],
            env: vec!["A=2".to_owned(), "B=3".to_owned(), "A=4".to_owned()],
            work_dir: Some("/w".to_owned()),
            user: Some(account(0, "/root")),
            capabilities: Capabilities::OfTheContainer,
        };
        let size = TerminalSize {
            width: 10,
            height: 20,
        };
        let all = json!(["CAP_KILL", "CAP_CHOWN"]);
        let wanted = json!({
            "terminal": false,
            "user": { "uid": 0, "gid": 5, "additionalGids": [6], "umask": 18 },
            "args": ["id"],
            "env": ["PATH=/bin", "HOME=/root", "B=3", "A=4"],
            "cwd": "/w",
            "capabilities": { "bounding": all, "effective": all, "permitted": all },
            "noNewPrivileges": true,
            "apparmorProfile": "crio-default",
            "oomScoreAdj": 7,
        });
        let made = changed(&own(), order.clone(), false, Some(size));
        assert_eq!(Value::Object(made), wanted);
        let on_terminal = changed(&own(), order, true, Some(size));
        assert_eq!(on_terminal["terminal"], true);
        let shown = &on_terminal["consoleSize"];
        assert_eq!(*shown, json!({ "width": 10, "height": 20 }));
    }

    #[test]
    fn only_root_gets_more_and_nobody_else_has_anything() {
        let all = || Capabilities::All(vec!["CAP_SYS_ADMIN".to_owned()]);
        let of = |user, capabilities| {
            let order = Order {
                user,
                capabilities,
                ..Order::default()
            };
            changed(&own(), order, false, None)["capabilities"].clone()
        };
        let own = own()["capabilities"].clone();
        assert_eq!(of(None, Capabilities::OfTheContainer), own);
        let mut more = own.clone();
        more["bounding"] = json!(["CAP_SYS_ADMIN"]);
        assert_eq!(of(None, all()), more);
        let bounding = &own["bounding"];
        assert_eq!(
            of(Some(account(4, "")), Capabilities::OfTheContainer),
            json!({ "bounding": bounding })
        );
        let one = json!(["CAP_SYS_ADMIN"]);
        assert_eq!(of(Some(account(4, "")), all()), json!({ "bounding": one }));
        assert_eq!(
            of(Some(account(0, "")), all()),
            json!({ "bounding": one, "effective": one, "permitted": one })
        );
    }
}
