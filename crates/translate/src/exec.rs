//! Exec sessions, the same on both faces.

use model::Error;
use model::exec::{ExecRecord, ExecSpec, ExecState, TerminalSize};
use podman_api::exec::{ExecCreate, ExecStart, InspectExec, ProcessConfig};

/// The exit code of a session whose end nobody saw.
const UNKNOWN: i32 = -1;

/// What `POST /containers/{name}/exec` asks for.
///
/// # Errors
/// A variable that is no `KEY=VALUE`.
pub fn exec_create(body: ExecCreate) -> Result<ExecSpec, Error> {
    let ExecCreate {
        user,
        privileged,
        tty,
        console_size: _, // the start has it, as in Podman
        attach_stdin,
        attach_stderr,
        attach_stdout,
        detach_keys,
        env,
        working_dir,
        cmd,
        detach: _, // the start has it
    } = body;
    if let Some(wrong) = env.iter().find(|pair| !pair.contains('=')) {
        return Err(Error::BadRequest(format!(
            "environment variable {wrong:?} badly formed, must be key=value"
        )));
    }
    Ok(ExecSpec {
        command: cmd,
        env,
        user,
        work_dir: working_dir,
        tty,
        stdin: attach_stdin,
        stdout: attach_stdout,
        stderr: attach_stderr,
        privileged,
        // Podman takes the empty text for its default here.
        detach_keys: Some(detach_keys).filter(|keys| !keys.is_empty()),
    })
}

/// The terminal's size at the start, where it says one.
pub fn exec_size(body: &ExecStart) -> Option<TerminalSize> {
    let ExecStart {
        detach: _,
        tty,
        height,
        width,
    } = *body;
    (tty && (height > 0 || width > 0)).then_some(TerminalSize { width, height })
}

/// `GET /exec/{id}/json`. The process id is not known: CRI does not tell it.
pub fn exec_inspect(record: &ExecRecord) -> InspectExec {
    let ExecRecord {
        id,
        container,
        created_at: _,
        spec,
        state,
    } = record;
    let (running, exit_code) = match *state {
        ExecState::Created => (false, 0),
        ExecState::Running => (true, 0),
        ExecState::Ended { exit_code, .. } => (false, exit_code.unwrap_or(UNKNOWN)),
    };
    let (entrypoint, arguments) = match spec.command.split_first() {
        Some((first, rest)) => (first.clone(), rest.to_vec()),
        None => (String::new(), Vec::new()),
    };
    InspectExec {
        can_remove: matches!(state, ExecState::Ended { .. }),
        container_id: container.clone(),
        detach_keys: spec.detach_keys.clone().unwrap_or_default(),
        exit_code,
        id: id.to_string(),
        open_stderr: spec.stderr,
        open_stdin: spec.stdin,
        open_stdout: spec.stdout,
        running,
        pid: 0,
        process_config: ProcessConfig {
            arguments: Some(arguments).filter(|arguments| !arguments.is_empty()),
            entrypoint,
            privileged: spec.privileged,
            tty: spec.tty,
            user: spec.user.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_arrives_and_a_bad_variable_is_refused() {
        let body: ExecCreate = serde_json::from_str(
            r#"{"User":"1:2","Privileged":true,"Tty":true,"AttachStdin":true,"AttachStdout":true,
                "AttachStderr":true,"DetachKeys":"a","Env":["A=b"],"WorkingDir":"/w","Cmd":["sh","-c"]}"#,
        )
        .unwrap();
        let spec = exec_create(body.clone()).unwrap();
        let wanted = ExecSpec {
            command: vec!["sh".to_owned(), "-c".to_owned()],
            env: vec!["A=b".to_owned()],
            user: "1:2".to_owned(),
            work_dir: "/w".to_owned(),
            tty: true,
            stdin: true,
            stdout: true,
            stderr: true,
            privileged: true,
            detach_keys: Some("a".to_owned()),
        };
        assert_eq!(spec, wanted);
        let env = vec!["A".to_owned()];
        let error = exec_create(ExecCreate { env, ..body }).unwrap_err();
        let text = "environment variable \"A\" badly formed, must be key=value";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn an_end_that_nobody_saw_is_no_success() {
        let record = |state| ExecRecord {
            id: model::Id::generate(),
            container: "c".to_owned(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            spec: ExecSpec::default(),
            state,
        };
        let ended = |exit_code| ExecState::Ended {
            at: jiff::Timestamp::UNIX_EPOCH,
            exit_code,
        };
        let shown = |state| exec_inspect(&record(state));
        assert_eq!(shown(ended(None)).exit_code, -1);
        assert_eq!(shown(ended(Some(3))).exit_code, 3);
        assert!(shown(ended(None)).can_remove && !shown(ended(None)).running);
        assert!(shown(ExecState::Running).running);
        assert!(!shown(ExecState::Created).can_remove);
    }
}
