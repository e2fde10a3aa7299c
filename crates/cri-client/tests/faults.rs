//! What a real runtime does only when it breaks: gone and back, hung, dead in the middle of a call. The
//! runtime here is a bare HTTP/2 server that answers Version and does what the test says to the rest.

mod grpc;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cri_api::v1::{Image, ListImagesResponse, VersionResponse};
use cri_client::{CallObserver, Client, Endpoint, Error, discover_among};
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixListener;
use tokio::task::JoinSet;

/// What the runtime does to a call that is not Version.
#[derive(Clone, Copy)]
enum Fault {
    Hang,
    Die,
    /// Lists images from the third time on: another program writes one.
    HalfWritten,
}

/// A runtime that lives until it is dropped; its socket file stays, as after a crash.
struct Runtime {
    _tasks: JoinSet<()>,
    calls: Arc<AtomicUsize>,
}

fn runtime(socket: &Path, name: &'static str, hang_version: bool, fault: Fault) -> Runtime {
    std::fs::remove_file(socket).ok();
    let listener = UnixListener::bind(socket).expect("a free path");
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.expect("open");
            let counted = counted.clone();
            connections.spawn(async move {
                let (die, dead) = tokio::sync::oneshot::channel::<()>();
                let die = Arc::new(Mutex::new(Some(die)));
                let service = service_fn(move |request: Request<Incoming>| {
                    let before = counted.fetch_add(1, Ordering::SeqCst);
                    let die = die.clone();
                    async move {
                        if request.uri().path().ends_with("/Version") && !hang_version {
                            return Ok::<_, Infallible>(version(name));
                        }
                        if let Fault::HalfWritten = fault {
                            return Ok(images(before));
                        }
                        if let Fault::Die = fault {
                            drop(die.lock().expect("no panic").take());
                        }
                        std::future::pending().await
                    }
                });
                let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    _ = connection => {}
                    _ = dead => {}
                }
            });
        }
    });
    Runtime {
        _tasks: tasks,
        calls,
    }
}

fn version(name: &str) -> grpc::Answer {
    grpc::answer(&VersionResponse {
        runtime_name: name.to_owned(),
        ..VersionResponse::default()
    })
}

/// CRI-O's answer beside a commit, or one image.
fn images(before: usize) -> grpc::Answer {
    if before < 2 {
        let text =
            "locating item named \"manifest\" for image with ID \"4c0a\": file does not exist";
        return grpc::ended(
            Bytes::new(),
            &[("grpc-status", "2"), ("grpc-message", text)],
        );
    }
    grpc::answer(&ListImagesResponse {
        images: vec![Image::default()],
    })
}

fn place() -> (tempfile::TempDir, PathBuf, Endpoint) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("runtime.sock");
    let endpoint = socket.to_str().expect("UTF-8").parse().expect("a path");
    (folder, socket, endpoint)
}

#[tokio::test]
async fn one_client_serves_through_a_restart_of_the_runtime_and_a_read_waits_for_it() {
    let (_folder, socket, endpoint) = place();
    let first = runtime(&socket, "first", false, Fault::Hang);
    let client = Client::connect(endpoint.clone(), endpoint);
    assert_eq!(client.version().await.unwrap().runtime_name, "first");
    drop(first);
    tokio::time::sleep(Duration::from_millis(50)).await;

    let read = tokio::spawn({
        let client = client.clone();
        async move { client.version().await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _second = runtime(&socket, "second", false, Fault::Hang);
    assert_eq!(read.await.unwrap().unwrap().runtime_name, "second");
}

#[tokio::test]
async fn a_change_is_not_tried_again_and_says_that_nothing_was_sent() {
    let (_folder, _socket, endpoint) = place();
    let client = Client::connect(endpoint.clone(), endpoint);
    let started = Instant::now();
    let error = client.start_container("c").await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unavailable {
                call: "StartContainer",
                sent: false,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("runtime.sock: No such file or directory"),
        "{error}"
    );
    assert!(!error.maybe_done());
    assert!(
        started.elapsed() < Duration::from_millis(50),
        "{:?}",
        started.elapsed()
    );

    // a read has waited for it in vain
    let error = client.version().await.unwrap_err();
    assert!(
        matches!(error, Error::Unavailable { sent: false, .. }),
        "{error:?}"
    );
    assert!(started.elapsed() > Duration::from_secs(1));
}

#[tokio::test]
async fn a_runtime_that_dies_during_a_call_may_have_done_it_and_is_not_asked_twice() {
    let (_folder, socket, endpoint) = place();
    let runtime = runtime(&socket, "dying", false, Fault::Die);
    let client = Client::connect(endpoint.clone(), endpoint);
    for _ in 0..2 {
        let error = client.start_container("c").await.unwrap_err();
        assert!(
            matches!(error, Error::Unavailable { sent: true, .. }),
            "{error:?}"
        );
        assert!(error.maybe_done());
    }
    assert_eq!(runtime.calls.load(Ordering::SeqCst), 2);
    // and the next call finds a new connection
    assert_eq!(client.version().await.unwrap().runtime_name, "dying");
}

#[tokio::test]
async fn a_read_that_broke_after_it_was_sent_is_not_repeated_either() {
    let (_folder, socket, endpoint) = place();
    let runtime = runtime(&socket, "dying", false, Fault::Die);
    let client = Client::connect(endpoint.clone(), endpoint);
    let error = client.list_containers(None).await.unwrap_err();
    assert!(
        matches!(error, Error::Unavailable { sent: true, .. }),
        "{error:?}"
    );
    assert_eq!(runtime.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn images_are_listed_again_while_one_is_half_written() {
    let (_folder, socket, endpoint) = place();
    let runtime = runtime(&socket, "writing", false, Fault::HalfWritten);
    let client = Client::connect(endpoint.clone(), endpoint);
    assert_eq!(client.list_images(None).await.unwrap().len(), 1);
    assert_eq!(runtime.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_hung_runtime_is_passed_over_after_its_deadline() {
    let (_folder, socket, endpoint) = place();
    let _runtime = runtime(&socket, "hung", true, Fault::Hang);
    let error = discover_among([endpoint]).await.unwrap_err();
    assert!(error.to_string().contains("no answer within 3s"), "{error}");
}

#[tokio::test]
async fn the_end_of_the_runtime_ends_an_event_stream_with_one_error() {
    let (_folder, socket, endpoint) = place();
    let runtime = runtime(&socket, "silent", false, Fault::Hang);
    let client = Client::connect(endpoint.clone(), endpoint);
    let mut events = client.container_events();
    let silent = tokio::time::timeout(Duration::from_millis(200), events.next()).await;
    assert!(silent.is_err(), "a stream without events is silent");
    assert_eq!(runtime.calls.load(Ordering::SeqCst), 1);
    drop(runtime);
    let error = events.next().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(events.next().await.is_none());
}

#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl CallObserver for Recorder {
    fn before(&self, call: &'static str) {
        self.0
            .lock()
            .expect("no panic")
            .push(format!("before {call}"));
    }

    fn after(&self, call: &'static str) {
        self.0
            .lock()
            .expect("no panic")
            .push(format!("after {call}"));
    }
}

#[tokio::test]
async fn the_observer_sees_changing_calls_only_failed_ones_too() {
    let (_folder, socket, endpoint) = place();
    let _runtime = runtime(&socket, "dying", false, Fault::Die);
    let recorder = Arc::new(Recorder::default());
    let client = Client::connect(endpoint.clone(), endpoint).with_observer(recorder.clone());
    client.version().await.unwrap();
    client.remove_container("c").await.unwrap_err();
    client.containerd().pause("c").await.unwrap_err();
    client.crio().pause("c").await.unwrap_err();
    let seen = recorder.0.lock().unwrap().clone();
    let wanted = [
        "before RemoveContainer",
        "after RemoveContainer",
        "before Pause",
        "after Pause",
        "before CrioPause",
        "after CrioPause",
    ];
    assert_eq!(seen, wanted);
}
