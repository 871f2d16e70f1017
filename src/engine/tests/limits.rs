//! What limits a run, at its edges: budgets, the network, this machine, memory and disk.

use super::*;

#[test]
fn a_line_that_this_machine_could_not_send_can_be_stopped() {
    let script =
        always(&Step::Fail { after: 1, kind: FailureKind::LocalFdExhausted }, ["http://a.example/".to_owned()]);
    let cancel = CancellationToken::new();
    let records: Vec<_> = paused(|| async {
        let stop = cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            stop.cancel();
        });
        run(futures::stream::iter([job("http://a.example/")]), script.clone(), plan(4, 4), cancel).collect().await
    });
    assert_eq!(records[0].error.as_ref().map(|failure| failure.kind), Some(FailureKind::Canceled));
    assert_eq!((records[0].num_retries, records[0].attempts.len()), (0, 0));
}
