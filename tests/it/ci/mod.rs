//! What is there to be copied into CI: the action and the examples name only options that exist, and are well formed.

mod cronjob;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::support::{gather, list};
use cronjob::{Action, ConcurrencyPolicy, ConfigMap, CronJob, Operator, Resource, RestartPolicy};

const ACTION: &str = include_str!("../../../action.yml");
const GITHUB: &str = include_str!("../../../examples/ci/github.yml");
const GITLAB: &str = include_str!("../../../examples/ci/gitlab.yml");
const CRONJOB: &str = include_str!("../../../examples/ci/cronjob.yml");
const PRE_COMMIT: &str = include_str!("../../../examples/ci/pre-commit.yml");

/// Options of other programs that the scripts call.
const OF_OTHERS: [&str; 6] = ["locked", "root", "path", "arg", "hook-stage", "quiet"];

/// The long options that the help lists.
fn options() -> BTreeSet<String> {
    let output = gather().arg("--help").assert().code(0);
    let help = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    named_in(&help).collect()
}

/// All words that begin with `--` and a letter, without the dashes.
fn named_in(text: &str) -> impl Iterator<Item = String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    let words = text.split(move |letter| !is_part(letter)).filter_map(|word| word.strip_prefix("--"));
    let named =
        words.map(|name| name.trim_end_matches('.')).filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
    named.map(str::to_owned).collect::<Vec<_>>().into_iter()
}

fn yaml<T: for<'de> Deserialize<'de>>(text: &str) -> T {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_option_and_variable_in_the_action_and_the_examples_exists() {
    let options = options();
    assert!(options.contains("max-per-host"), "{options:?}");
    for text in [ACTION, GITHUB, GITLAB, CRONJOB, PRE_COMMIT] {
        for name in named_in(text) {
            assert!(options.contains(&name) || OF_OTHERS.contains(&name.as_str()), "--{name} is no option");
        }
        for (_, rest) in text.match_indices("GATHER_").map(|(at, prefix)| text.split_at(at + prefix.len())) {
            let name: String =
                rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
            let name = name.to_ascii_lowercase().replace('_', "-");
            assert!(options.contains(&name), "--{name} is no option");
        }
    }
}

/// An action as GitHub reads it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionFile {
    name: String,
    description: String,
    #[expect(dead_code, reason = "only its form is of interest")]
    author: String,
    #[expect(dead_code, reason = "only its form is of interest")]
    branding: BTreeMap<String, String>,
    inputs: BTreeMap<String, Input>,
    outputs: BTreeMap<String, Output>,
    runs: Runs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    description: String,
    #[serde(default)]
    required: bool,
    default: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Output {
    description: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Runs {
    using: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    name: String,
    id: Option<String>,
    #[expect(dead_code, reason = "only its form is of interest")]
    r#if: Option<String>,
    shell: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    run: String,
}

#[test]
fn the_action_has_what_github_wants_and_its_inputs_reach_the_script_as_variables_alone() {
    let action: ActionFile = yaml(ACTION);
    assert!(action.runs.using == "composite" && !action.name.is_empty() && !action.description.is_empty());
    for (name, input) in &action.inputs {
        assert!(!input.description.is_empty() && input.required == input.default.is_none(), "{name}");
    }
    for (name, output) in &action.outputs {
        let in_step = format!("steps.run.outputs.{name}");
        assert!(!output.description.is_empty(), "{name}");
        assert!(output.value.contains(&in_step) || output.value.contains("inputs."), "{name}: {}", output.value);
    }
    for step in &action.runs.steps {
        assert!(step.shell == "bash" && !step.run.contains("${{"), "{}", step.name);
        for (variable, value) in &step.env {
            assert!(step.run.contains(variable.as_str()), "{variable} is not used");
            let input = value.trim_start_matches("${{ inputs.").trim_end_matches(" }}");
            assert!(action.inputs.contains_key(input), "{value} is no input");
        }
    }
}

#[test]
fn the_scripts_of_the_action_are_sound() {
    let action: ActionFile = yaml(ACTION);
    for step in &action.runs.steps {
        let script = list(format!("#!/usr/bin/env bash\nset -eo pipefail\n{}", step.run));
        for (program, arguments) in [("bash", vec!["-n"]), ("shellcheck", vec!["-s", "bash"])] {
            let Ok(output) = Command::new(program).args(arguments).arg(script.path()).output() else { continue };
            assert!(
                output.status.success(),
                "{}: {}",
                step.name,
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat())
            );
        }
    }
}

#[test]
fn the_action_passes_words_on_whole_and_tells_the_counts() {
    let action: ActionFile = yaml(ACTION);
    let step = action.runs.steps.iter().find(|step| step.id.as_deref() == Some("run")).expect("the step that runs");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| directory.path().join(name).display().to_string();
    // In place of the program: tells its words, and writes what --summary asks for.
    let stand_in = "#!/usr/bin/env bash\nprintf '%s\\n' \"$@\" > \"$RUNNER_TEMP/words\"\n\
        echo '{\"lines\": 3, \"ok\": 1, \"flaky\": 1, \"failed\": 1}' > \"$RUNNER_TEMP/gather-summary.json\"\nexit 1\n";
    std::fs::write(at("program"), stand_in).expect("written");
    std::fs::write(at("script"), format!("set -eo pipefail\n{}", step.run)).expect("written");
    if Command::new("jq").arg("--version").output().is_err() {
        return;
    }
    let mut run = Command::new("bash");
    run.arg(at("script")).current_dir(directory.path()).env("RUNNER_TEMP", directory.path());
    run.env("GITHUB_OUTPUT", at("outputs"));
    for variable in step.env.keys() {
        run.env(variable, "");
    }
    std::fs::set_permissions(at("program"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    run.env("INPUT_GATHER", at("program")).env("INPUT_LIST", "a.txt 'b c.txt'").env("INPUT_FLAKY", "warn");
    run.env("INPUT_ARGS", "--expect 'status == 200' -H \"a: $(touch ran)\"").env("INPUT_OUTPUT", "out.ndjson");
    let output = run.env("INPUT_JUNIT", "junit.xml").env("INPUT_FAIL", "true").output().expect("bash");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let words = std::fs::read_to_string(at("words")).expect("the program ran");
    let end = "--report\ngithub\n--report\njunit=junit.xml\n--expect\nstatus == 200\n-H\na: $(touch ran)\n--\na.txt\nb c.txt\n";
    assert!(words.ends_with(end), "{words}");
    assert!(!directory.path().join("ran").exists(), "an input was run");
    let outputs = std::fs::read_to_string(at("outputs")).expect("outputs");
    assert_eq!(outputs, "exit-code=1\nlines=3\nok=1\nflaky=1\nfailed=1\nknown=0\nfixed=0\n");
}

#[test]
fn the_cron_job_is_typed_and_locked_down() {
    let (config, job) = CRONJOB.split_once("\n---\n").expect("two documents");
    let (config, job): (ConfigMap, CronJob) = (yaml(config), yaml(job));
    assert_eq!((config.api_version.as_str(), config.kind.as_str()), ("v1", "ConfigMap"));
    assert_eq!((job.api_version.as_str(), job.kind.as_str()), ("batch/v1", "CronJob"));
    assert!(job.spec.concurrency_policy == ConcurrencyPolicy::Forbid && job.spec.schedule.split(' ').count() == 5);
    let job = job.spec.job_template.spec;
    let pod = &job.template.spec;
    let [container] = &pod.containers[..] else { panic!("one container") };
    let context = &container.security_context;
    assert!(pod.security_context.run_as_non_root && pod.security_context.run_as_user > 0);
    assert!(!pod.automount_service_account_token && pod.restart_policy == RestartPolicy::Never);
    assert!(context.read_only_root_filesystem && !context.allow_privilege_escalation);
    assert_eq!(context.capabilities.drop, ["ALL"]);
    assert!(container.resources.requests.contains_key(&Resource::Cpu));
    assert_eq!(container.resources.limits[&Resource::Memory], "64Mi");
    assert!(job.active_deadline_seconds > 240 && pod.termination_grace_period_seconds > 10);
    let rule =
        job.pod_failure_policy.rules.iter().find_map(|rule| rule.on_exit_codes.as_ref().map(|codes| (rule, codes)));
    let (rule, codes) = rule.expect("a rule about exit codes");
    assert!(rule.action == Action::FailJob && codes.operator == Operator::In && codes.container_name == container.name);
    assert_eq!(codes.values, [1, 2, 4, 5]);
    for mount in &container.volume_mounts {
        let volume = pod.volumes.iter().find(|volume| volume.name == mount.name).expect("a volume of that name");
        let is_config = volume.config_map.as_ref().is_some_and(|map| map.name == config.metadata.name);
        assert_eq!((is_config, volume.empty_dir.is_some()), (mount.read_only, mount.mount_path == "/tmp"));
    }
    assert!(container.env.iter().all(|variable| variable.name.starts_with("GATHER_")));
    assert!(config.data.contains_key(&container.args[0]), "the list is not in the config map");
}

#[test]
fn the_configuration_of_the_cron_job_is_taken() {
    let config: ConfigMap = yaml(CRONJOB.split_once("\n---\n").expect("two documents").0);
    let (file, urls) = (list(&config.data["gather.toml"]), list(&config.data["urls.txt"]));
    gather().arg("--dry-run").arg("--config").args([file.path(), urls.path()]).assert().code(0);
}

#[test]
fn the_examples_for_github_gitlab_and_pre_commit_are_yaml_and_use_what_the_action_has() {
    let action: ActionFile = yaml(ACTION);
    let github: Value = yaml(GITHUB);
    let step = &github["jobs"]["smoke"]["steps"][1];
    for input in step["with"].as_object().expect("inputs").keys() {
        assert!(action.inputs.contains_key(input), "{input} is no input of the action");
    }
    for (_, rest) in
        GITHUB.match_indices("steps.gather.outputs.").map(|(at, prefix)| GITHUB.split_at(at + prefix.len()))
    {
        let output = rest.split(' ').next().unwrap_or_default();
        assert!(action.outputs.contains_key(output), "{output} is no output of the action");
    }
    let gitlab: Value = yaml(GITLAB);
    assert_eq!(gitlab["smoke"]["artifacts"]["reports"]["junit"], "junit.xml");
    let pre_commit: Value = yaml(PRE_COMMIT);
    assert_eq!(pre_commit["repos"][0]["hooks"][0]["id"], "gather-list");
}
