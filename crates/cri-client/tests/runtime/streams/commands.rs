//! What a command's streams carry.

use super::*;

#[tokio::test]
#[ignore = "needs a runtime"]
async fn a_command_has_its_output_its_errors_and_its_exit_code_on_both_transports() {
    let place = Place::new("exec").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    for over in [Over::Any, Over::WebSocket] {
        let wanted = Wanted { over, ..OUTPUTS };
        for code in [0, 3, 137] {
            let script = format!("echo out; echo err >&2; exit {code}");
            let (stdout, stderr, ended) = run(&place.client, &id, &script, wanted).await;
            assert_eq!(
                (stdout.as_str(), stderr.as_str()),
                ("out\n", "err\n"),
                "{over:?}"
            );
            assert_eq!(ended, Ok(code), "{over:?}");
        }
        let killed = run(&place.client, &id, "kill -9 $$", wanted).await.2;
        assert_eq!(killed, Ok(137), "{over:?}");
        let stdout = Wanted {
            stderr: false,
            ..wanted
        };
        let (stdout, stderr, ended) =
            run(&place.client, &id, "echo out; echo err >&2", stdout).await;
        assert_eq!(
            (stdout.as_str(), stderr.as_str(), ended),
            ("out\n", "", Ok(0))
        );
    }
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn output_comes_in_the_order_in_which_it_was_written() {
    let place = Place::new("order").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    // a pause between them: both pipes are read by the runtime at once
    let script = "for i in 1 2 3 4 5; do echo $i; sleep 0.1; echo $i >&2; sleep 0.1; done";
    let command = words(&["sh", "-c", script]);
    let mut streams = place
        .client
        .exec_streams(&id, command, OUTPUTS)
        .await
        .unwrap();
    let mut order = Vec::new();
    while let Some((source, piece)) = streams.output.next().await {
        order.push((source, String::from_utf8(piece.to_vec()).unwrap()));
    }
    let wanted: Vec<_> = (1..=5)
        .flat_map(|i| [Source::Stdout, Source::Stderr].map(|source| (source, format!("{i}\n"))))
        .collect();
    assert_eq!(order, wanted);
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn a_command_that_cannot_be_executed_is_told() {
    let place = Place::new("missing").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    let command = words(&["nosuch"]);
    let streams = place
        .client
        .exec_streams(&id, command, OUTPUTS)
        .await
        .unwrap();
    let Streams { output, ended, .. } = streams;
    let (_, stderr) = read(output).await;
    let ended = ended.await;
    match place.kind {
        RuntimeKind::CriO => {
            assert!(stderr.contains("executable file not found"), "{stderr}");
            assert_eq!(ended, Ok(255));
        }
        _ => assert!(matches!(ended, Err(Error::CommandNotFound(_))), "{ended:?}"),
    }
    let command = words(&["true"]);
    let error = place
        .client
        .exec_streams("deadbeef", command, OUTPUTS)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error:?}");
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn an_address_holds_for_one_use() {
    let place = Place::new("token").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    let request = ExecRequest {
        container_id: id,
        cmd: words(&["echo", "once"]),
        stdout: true,
        ..ExecRequest::default()
    };
    let url = place.client.exec(request).await.unwrap();
    let wanted = Wanted {
        stderr: false,
        ..OUTPUTS
    };
    let streams = connect("Exec", &url, wanted).await.unwrap();
    assert_eq!(read_all(streams).await, ("once\n".to_owned(), Ok(0)));
    let error = connect("Exec", &url, wanted).await.unwrap_err();
    assert!(matches!(error, Error::Stream { .. }), "{error:?}");
    let (error, token) = (error.to_string(), url.rsplit('/').next().unwrap());
    assert!(
        error.contains("does not know it") && !error.contains(token),
        "{error}"
    );
    place.end().await;
}
