//! What to ask for, for every line that does not say it itself.
//!
//! Values that may hold a secret are judged in `resolve`, which does not repeat them in a message.

use gather::model::Secret;
use http::Method;

use crate::cli::values;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Request (for every line that does not set its own)")]
pub(crate) struct Request {
    /// Method [default: GET; with a body POST].
    #[arg(short = 'X', long = "request", value_name = "METHOD", value_parser = values::method)]
    pub(crate) method: Option<Method>,

    /// `Name: value` to send; may be repeated, `@FILE` reads them.
    ///
    /// As in curl, `Name;` sends the header without a value, and `Name:` takes back one that would be sent by default
    /// (`Content-Type`, `User-Agent`). `@FILE` reads one header a line, `@-` from standard input.
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<Secret<String>>,

    /// Body to send, as a form; `@FILE` reads it.
    ///
    /// Sends `Content-Type: application/x-www-form-urlencoded` unless --header says otherwise. As in curl, line breaks and
    /// NUL bytes of a file are left out, and several are joined with `&`. To send a file byte by byte, use --json with a
    /// --header of another Content-Type.
    #[arg(short, long, value_name = "DATA", conflicts_with = "json")]
    pub(crate) data: Vec<Secret<String>>,

    /// JSON body to send; `@FILE` reads it.
    ///
    /// Sent as it is, with `Content-Type: application/json` and `Accept: application/json` unless --header says otherwise.
    /// Several are joined without anything between, as in curl.
    #[arg(long, value_name = "JSON")]
    pub(crate) json: Vec<Secret<String>>,

    /// User and password for Basic authentication.
    ///
    /// `@FILE` reads them from the first line of a file. Sent to the host of each line, and not to another one that it
    /// redirects to.
    #[arg(short, long, value_name = "USER:PASSWORD", conflicts_with = "oauth2_bearer")]
    pub(crate) user: Option<Secret<String>>,

    /// Token for Bearer authentication.
    ///
    /// `@FILE` reads it from the first line of a file.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) oauth2_bearer: Option<Secret<String>>,

    /// User-Agent [default: gather/VERSION]; empty: none.
    #[arg(short = 'A', long, value_name = "TEXT")]
    pub(crate) user_agent: Option<String>,

    /// What relative lines (`/health`) are relative to.
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<Secret<String>>,

    /// Redirects to follow; 0: none.
    #[arg(long, value_name = "N", default_value = "10", value_parser = values::limit)]
    pub(crate) max_redirs: u32,

    /// Accepted as in curl; redirects are followed anyway.
    #[arg(short = 'L', long)]
    pub(crate) location: bool,

    /// Send credentials also to other hosts on redirects.
    ///
    /// Without it, credentials and all headers that may hold one are dropped at the first redirect to another scheme, host
    /// or port, and do not come back.
    #[arg(long)]
    pub(crate) location_trusted: bool,
}
