//! The part of Kubernetes' API (batch/v1, core/v1) that the example uses, as types that refuse any other field and any other
//! value of an enumeration. The crate k8s-openapi has the whole, and takes a minute to compile.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    #[expect(dead_code, reason = "only its form is of interest")]
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ConfigMap {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) metadata: Metadata,
    pub(super) data: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct CronJob {
    pub(super) api_version: String,
    pub(super) kind: String,
    #[expect(dead_code, reason = "only its form is of interest")]
    metadata: Metadata,
    pub(super) spec: CronJobSpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "of some fields only the form is of interest")]
pub(super) struct CronJobSpec {
    pub(super) schedule: String,
    pub(super) concurrency_policy: ConcurrencyPolicy,
    starting_deadline_seconds: u32,
    successful_jobs_history_limit: u32,
    failed_jobs_history_limit: u32,
    pub(super) job_template: JobTemplate,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(super) enum ConcurrencyPolicy {
    Allow,
    Forbid,
    Replace,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JobTemplate {
    pub(super) spec: JobSpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "of some fields only the form is of interest")]
pub(super) struct JobSpec {
    pub(super) active_deadline_seconds: u64,
    ttl_seconds_after_finished: u32,
    backoff_limit: u32,
    pub(super) pod_failure_policy: PodFailurePolicy,
    pub(super) template: PodTemplate,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PodFailurePolicy {
    pub(super) rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Rule {
    pub(super) action: Action,
    pub(super) on_exit_codes: Option<OnExitCodes>,
    #[serde(default)]
    #[expect(dead_code, reason = "only its form is of interest")]
    on_pod_conditions: Vec<PodCondition>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(super) enum Action {
    Count,
    FailIndex,
    FailJob,
    Ignore,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct OnExitCodes {
    pub(super) container_name: String,
    pub(super) operator: Operator,
    pub(super) values: Vec<u8>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(super) enum Operator {
    In,
    NotIn,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its form is of interest")]
struct PodCondition {
    r#type: PodConditionType,
}

#[derive(Debug, Deserialize)]
enum PodConditionType {
    DisruptionTarget,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PodTemplate {
    #[expect(dead_code, reason = "only its form is of interest")]
    metadata: Metadata,
    pub(super) spec: PodSpec,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct PodSpec {
    pub(super) restart_policy: RestartPolicy,
    pub(super) automount_service_account_token: bool,
    pub(super) termination_grace_period_seconds: u64,
    pub(super) security_context: PodSecurityContext,
    pub(super) containers: Vec<Container>,
    pub(super) volumes: Vec<Volume>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(super) enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "of some fields only the form is of interest")]
pub(super) struct PodSecurityContext {
    pub(super) run_as_non_root: bool,
    pub(super) run_as_user: u32,
    run_as_group: u32,
    fs_group: u32,
    seccomp_profile: SeccompProfile,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its form is of interest")]
struct SeccompProfile {
    r#type: SeccompProfileType,
}

#[derive(Debug, Deserialize)]
enum SeccompProfileType {
    RuntimeDefault,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "of some fields only the form is of interest")]
pub(super) struct Container {
    pub(super) name: String,
    image: String,
    working_dir: String,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<EnvVar>,
    pub(super) security_context: SecurityContext,
    pub(super) resources: Resources,
    pub(super) volume_mounts: Vec<VolumeMount>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "of some fields only the form is of interest")]
pub(super) struct EnvVar {
    pub(super) name: String,
    value_from: EnvVarSource,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "only its form is of interest")]
struct EnvVarSource {
    secret_key_ref: SecretKeySelector,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its form is of interest")]
struct SecretKeySelector {
    name: String,
    key: String,
    optional: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct SecurityContext {
    pub(super) allow_privilege_escalation: bool,
    pub(super) read_only_root_filesystem: bool,
    pub(super) capabilities: Capabilities,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Capabilities {
    pub(super) drop: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resources {
    pub(super) requests: BTreeMap<Resource, String>,
    pub(super) limits: BTreeMap<Resource, String>,
}

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(super) enum Resource {
    Cpu,
    Memory,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct VolumeMount {
    pub(super) name: String,
    pub(super) mount_path: String,
    #[serde(default)]
    pub(super) read_only: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) config_map: Option<Named>,
    pub(super) empty_dir: Option<EmptyDir>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "only its form is of interest")]
pub(super) struct EmptyDir {
    size_limit: String,
}
