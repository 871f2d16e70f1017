//! The rows of the fault list that this table does not try, each with the reason or with the test that tries it.

use std::fs;
use std::path::Path;

/// Rows that cannot be tried on a machine that only talks to itself, and why.
const UNTESTED: [(&str, &str); 10] = [
    ("unreachable", "every address that a test may speak to is on loopback, which is always reachable"),
    ("ephemeral ports used up", "it takes all local ports of the machine, from every other test too"),
    (
        "half a status line, told from no byte at all",
        "hyper says the same of both, and reqwest lets nobody count below it",
    ),
    ("3,000 header fields, told from 400 KiB of them", "hyper says the same of both; 101 to 512 are told"),
    (
        "a flood of 1xx, told from silence",
        "hyper passes over them, and reqwest drops the request's extension that would tell",
    ),
    ("only TLS 1.1, to its end", "rustls has no such server; its first messages are played byte by byte"),
    ("clock jumps", "the clock is the machine's; timers are of the monotonic clock"),
    ("millions of hosts", "it would take millions of names; bounds of the state are tried in unit tests"),
    (
        "an early 413 whose connection is reset under us",
        "whether it is read before our next byte fails is chance: 413 or reset",
    ),
    (
        "floods of 1xx at full speed on as many connections as there are cores",
        "hyper reads on without giving way, so that time limits come late: by a second optimised, by many in a test build",
    ),
];

/// Rows that other tests try, and which.
const ELSEWHERE: [(&str, &str); 43] = [
    ("endless gzip of zeros", "a_bomb_without_an_end_is_stopped"),
    ("memory of a bomb", "a_bomb_of_each_coding_is_stopped_early_and_costs_little"),
    ("a byte order mark, CRLF, duplicates, userinfo, fragments", "odd_lists_that_are_fine_are_sent_as_they_are_meant"),
    ("every fault of a line of text", "every_fault_of_a_text_line_is_a_record_and_nothing_is_sent"),
    (
        "every fault of a line of JSON",
        "every_fault_of_a_jsonl_line_is_a_record_of_its_kind_with_its_id_and_nothing_is_sent",
    ),
    ("a 10 MB line", "a_line_of_10_mb_is_one_bad_line"),
    ("1 GB without a newline", "a_line_without_an_end_costs_no_memory"),
    ("NUL, invalid UTF-8, CR in a line", "what_is_no_text_is_never_sent_in_another_form"),
    (
        "UTF-16, missing file, directory, bad gzip",
        "a_source_that_cannot_be_read_is_refused_by_name_before_anything_is_sent",
    ),
    ("a bomb for a list", "a_packed_list_that_becomes_huge_costs_no_memory"),
    ("a slow FIFO", "the_first_request_of_a_slow_pipe_leaves_before_the_second_line_is_there"),
    ("input equal to output", "an_input_that_is_also_the_output_is_refused_and_kept"),
    ("an empty list", "it_is_4_for_an_input_without_urls_unless_that_is_allowed"),
    ("a list that breaks off", "it_is_2_after_the_run_where_the_input_breaks_off_half_way"),
    ("certificates that will not do", "certificates_that_will_not_do_have_their_kinds"),
    ("client certificate required", "a_client_certificate_is_shown_where_one_is_wanted"),
    ("https to http with a credential", "from_https_to_http_nothing_goes_that_carries_a_secret"),
    ("method and body of a redirect", "method_and_body_change_as_the_fetch_standard_says"),
    ("no Referer", "what_cannot_be_a_secret_crosses_origins_and_no_referer_does"),
    ("the chain of a redirect in the record", "as_many_redirects_are_followed_as_allowed"),
    ("always-500 host: at most 10 % more requests", "an_origin_that_always_fails_gets_few_retries"),
    ("POST refused is retried", "a_post_that_was_certainly_not_sent_is_tried_again"),
    ("a zstd window above 8 MiB", "a_zstd_window_of_more_than_8_mib_is_refused"),
    ("signal while waiting", "the_first_signal_lets_exchanges_in_flight_finish"),
    ("a head of line that is slow", "a_slow_first_line_is_waited_for_and_holds_nothing_up"),
    ("a host that is slow", "a_host_that_is_slow_holds_up_no_other"),
    ("no retry before Retry-After is over", "nothing_goes_to_an_origin_before_its_retry_after_is_over"),
    ("EMFILE, and any other local lack", "what_this_machine_lacks_costs_no_attempt"),
    (
        "ephemeral ports used up, as told by the transport",
        "what_this_machine_lacks_for_good_ends_with_the_time_of_the_line",
    ),
    ("flapping host", "an_origin_that_cannot_be_reached_is_left_alone_and_its_lines_end"),
    ("flapping host, half-open", "an_origin_that_comes_back_is_found_by_one_probe"),
    (
        "everything 429: down to 1 at once",
        "an_origin_that_answers_429_to_everything_comes_down_to_one_at_once_and_ends",
    ),
    ("1 bad host in 1,000", "a_bad_origin_among_a_thousand_does_not_delay_the_others"),
    ("millions of hosts: bounded state", "of_many_origins_only_some_are_remembered"),
    ("a panic in a task", "a_panic_in_an_exchange_is_the_failure_of_its_line_alone"),
    ("URL over 65,534 bytes", "a_url_may_have_65534_bytes_also_after_percent_encoding"),
    ("1 GB without a newline, in memory", "a_line_of_a_gigabyte_is_skipped_in_a_buffer_that_does_not_grow"),
    ("truncated .gz of a list", "a_packed_list_that_is_cut_off_gives_its_whole_lines_and_then_the_error"),
    ("concatenated .gz of a list", "packed_lists_are_found_by_their_bytes_and_may_have_several_members"),
    ("CR/LF in a header value, missing url, bad JSON", "a_bad_line_names_the_field_what_was_seen_and_what_is_right"),
    ("a file that vanishes", "a_file_that_vanishes_before_it_is_read_is_an_error_after_the_lines_before_it"),
    ("escape sequences in the list", "nothing_that_acts_on_a_terminal_is_shown_raw"),
    ("time limit shorter than the backoff, in the queue", "a_line_that_waits_too_long_at_a_gate_ends_with_its_time"),
];

#[test]
fn rows_that_are_not_in_the_table_say_why_or_where() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = [sources(&root.join("tests")), sources(&root.join("src"))].concat();
    for (row, test) in ELSEWHERE {
        assert!(sources.contains(&format!("fn {test}(")), "\"{row}\": there is no test {test}");
    }
    let list: Vec<String> = UNTESTED.iter().map(|(row, reason)| format!("{row}: {reason}")).collect();
    insta::assert_snapshot!("untested", list.join("\n"));
}

/// The text of every source file below a directory.
fn sources(directory: &Path) -> String {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap_or_default() })
        .collect()
}
