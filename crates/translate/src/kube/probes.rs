//! Probes as health checks. As with Podman `httpGet` is carried out by the container's `curl`, and `tcpSocket` by its `nc`.

use model::Error;
use podman_api::health::{HealthConfig, StartupHealthCheck};
use podman_api::kube::{ContainerPort, ExecAction, HttpGetAction, Probe, TcpSocketAction};

use super::left;

/// Kubernetes' defaults: seconds, and failures that count.
const PERIOD: u32 = 10;
const TIMEOUT: u32 = 1;
const FAILURES: u32 = 3;
const NANOSECONDS: i64 = 1_000_000_000;

/// A liveness probe.
pub(super) fn liveness(
    at: &str,
    probe: Probe,
    ports: &[ContainerPort],
) -> Result<HealthConfig, Error> {
    let Probe {
        exec,
        http_get,
        tcp_socket,
        initial_delay_seconds,
        timeout_seconds,
        period_seconds,
        success_threshold,
        failure_threshold,
        rest,
    } = probe;
    left::check(at, &rest, &[])?;
    if success_threshold.is_some_and(|count| count > 1) {
        return Err(Error::Plain(format!(
            "{at}.successThreshold: of this probe it is 1"
        )));
    }
    let nanoseconds = |asked: Option<u32>, default: u32| {
        i64::from(asked.filter(|&seconds| seconds > 0).unwrap_or(default)) * NANOSECONDS
    };
    Ok(HealthConfig {
        test: test(at, exec, http_get, tcp_socket, ports)?,
        interval: nanoseconds(period_seconds, PERIOD),
        timeout: nanoseconds(timeout_seconds, TIMEOUT),
        start_period: nanoseconds(initial_delay_seconds, 0),
        start_interval: 0,
        retries: i64::from(failure_threshold.unwrap_or(FAILURES)),
    })
}

/// A startup probe.
pub(super) fn startup(
    at: &str,
    probe: Probe,
    ports: &[ContainerPort],
) -> Result<StartupHealthCheck, Error> {
    let HealthConfig {
        test,
        interval,
        timeout,
        start_period,
        start_interval,
        retries,
    } = liveness(at, probe, ports)?;
    Ok(StartupHealthCheck {
        test,
        interval,
        timeout,
        start_period,
        start_interval,
        retries,
        successes: 1,
    })
}

fn test(
    at: &str,
    exec: Option<ExecAction>,
    http_get: Option<HttpGetAction>,
    tcp_socket: Option<TcpSocketAction>,
    ports: &[ContainerPort],
) -> Result<Vec<String>, Error> {
    let shell = |line: String| vec!["CMD-SHELL".to_owned(), line];
    match (exec, http_get, tcp_socket) {
        (Some(ExecAction { command }), None, None) if !command.is_empty() => {
            Ok([vec!["CMD".to_owned()], command].concat())
        }
        (None, Some(get), None) => {
            let HttpGetAction {
                path,
                port,
                host,
                scheme,
                rest,
            } = get;
            left::check(&format!("{at}.httpGet"), &rest, &[])?;
            let scheme = match scheme.to_lowercase().as_str() {
                "" | "http" => "http",
                "https" => "https",
                other => {
                    return Err(Error::Plain(format!(
                        "{at}.httpGet.scheme: {other:?} is none"
                    )));
                }
            };
            let (host, port) = (host_of(at, host)?, number(at, &port, ports)?);
            let path = match path.starts_with('/') {
                true => path,
                false => format!("/{path}"),
            };
            Ok(shell(format!(
                "curl -f {} || exit 1",
                quoted(&format!("{scheme}://{host}:{port}{path}"))
            )))
        }
        (None, None, Some(TcpSocketAction { port, host })) => {
            let (host, port) = (host_of(at, host)?, number(at, &port, ports)?);
            Ok(shell(format!(
                "nc -z -v {} {port} || exit 1",
                quoted(&host)
            )))
        }
        _ => Err(Error::Plain(format!(
            "{at}: one of exec, httpGet and tcpSocket is needed"
        ))),
    }
}

fn host_of(at: &str, host: String) -> Result<String, Error> {
    if host.starts_with('-') {
        return Err(Error::Plain(format!("{at}: {host:?} is no host")));
    }
    Ok(Some(host)
        .filter(|host| !host.is_empty())
        .unwrap_or_else(|| "localhost".to_owned()))
}

/// The number of a port, which may stand under its name.
fn number(at: &str, port: &str, ports: &[ContainerPort]) -> Result<u16, Error> {
    let named = ports
        .iter()
        .find(|known| known.name == port && !port.is_empty());
    let number = named
        .map(|known| known.container_port)
        .or_else(|| port.parse().ok());
    number.filter(|&number| number > 0).ok_or_else(|| {
        Error::Plain(format!(
            "{at}: {port:?} is neither a port nor the name of one"
        ))
    })
}

/// For a shell, as one word.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
