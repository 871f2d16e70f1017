//! Bodies that go to files: written under a temporary name while they arrive, renamed when they are whole.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use http::HeaderValue;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::task::JoinHandle;
use url::Url;

/// Bytes that are collected before they are written: large enough for few hops to a blocking thread, small enough for many files
/// at once.
const BATCH: usize = 256 * 1024;

/// Files in one subdirectory, and subdirectories in all.
const SHARD: u64 = 1_000;

/// Extensions by media type; never from the server's own file name.
const EXTENSIONS: [(&str, &str); 19] = [
    ("application/gzip", "gz"),
    ("application/javascript", "js"),
    ("application/json", "json"),
    ("application/pdf", "pdf"),
    ("application/x-ndjson", "ndjson"),
    ("application/xml", "xml"),
    ("application/zip", "zip"),
    ("image/gif", "gif"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/svg+xml", "svg"),
    ("image/webp", "webp"),
    ("text/css", "css"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("text/javascript", "js"),
    ("text/markdown", "md"),
    ("text/plain", "txt"),
    ("text/xml", "xml"),
];

/// A file, and the buffer that was written to it, emptied.
type Written = io::Result<(NamedTempFile, Vec<u8>)>;

/// A body on its way to a file. Dropped before [`finish`](Self::finish), it leaves nothing behind.
#[derive(Debug)]
pub(super) struct BodyFile {
    path: PathBuf,
    batch: Vec<u8>,
    file: Option<NamedTempFile>,
    /// The batch before this one, while it is written.
    writing: Option<JoinHandle<Written>>,
}

/// A body could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub(super) struct WriteError {
    path: PathBuf,
    source: io::Error,
}

impl BodyFile {
    /// A file in `directory` for the body of line `index`, from `url`.
    pub(super) fn new(directory: &Path, index: u64, url: &Url, content_type: Option<&HeaderValue>) -> Self {
        let path = directory.join(name(index, url, content_type));
        Self { path, batch: Vec::new(), file: None, writing: None }
    }

    /// Takes `bytes` without waiting; after that, [`relieve`](Self::relieve) must have its turn.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.batch.extend_from_slice(bytes);
    }

    /// Whether enough has come for a write.
    pub(super) fn is_full(&self) -> bool {
        self.batch.len() >= BATCH
    }

    /// Hands the batch on to be written, and waits for the one before it.
    pub(super) async fn relieve(&mut self) -> Result<(), WriteError> {
        let mut next = self.written().await?;
        let batch = std::mem::replace(&mut self.batch, std::mem::take(&mut next));
        let (file, path) = (self.file.take(), self.path.clone());
        self.writing = Some(tokio::task::spawn_blocking(move || write(file, &path, batch)));
        Ok(())
    }

    /// Writes what is left, and gives the file its name.
    pub(super) async fn finish(mut self) -> Result<PathBuf, WriteError> {
        self.written().await?;
        let (file, path, batch) = (self.file.take(), self.path.clone(), std::mem::take(&mut self.batch));
        let named = tokio::task::spawn_blocking(move || {
            let (file, _) = write(file, &path, batch)?;
            file.persist(&path).map(drop).map_err(|error| error.error)
        });
        named.await.map_err(io::Error::from).flatten().map_err(|source| self.error(source))?;
        Ok(self.path)
    }

    /// Waits for the write that goes on, if one does, and gives its emptied buffer back.
    async fn written(&mut self) -> Result<Vec<u8>, WriteError> {
        let Some(writing) = self.writing.take() else {
            return Ok(Vec::with_capacity(BATCH));
        };
        let (file, batch) = writing.await.map_err(io::Error::from).flatten().map_err(|source| self.error(source))?;
        self.file = Some(file);
        Ok(batch)
    }

    fn error(&self, source: io::Error) -> WriteError {
        WriteError { path: self.path.clone(), source }
    }
}

/// Makes sure that bodies can be written to `directory`.
pub(super) fn prepare(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    tempfile::tempfile_in(directory).map(drop)
}

/// Appends `batch` to the file, which is made if there is none yet.
fn write(file: Option<NamedTempFile>, path: &Path, mut batch: Vec<u8>) -> Written {
    let mut file = match file {
        Some(file) => file,
        None => create(path.parent().expect("the name has a directory"))?,
    };
    file.write_all(&batch)?;
    batch.clear();
    Ok((file, batch))
}

fn create(directory: &Path) -> io::Result<NamedTempFile> {
    refuse_link(directory)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".gather-").suffix(".part");
    // Temporary files are for their owner alone; this one becomes a result, for whom the umask says.
    #[cfg(unix)]
    let builder = builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    match builder.tempfile_in(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(directory)?;
            builder.tempfile_in(directory)
        }
        result => result,
    }
}

/// Refuses a link in place of a subdirectory: it would lead bodies out of the output directory.
fn refuse_link(directory: &Path) -> io::Result<()> {
    match fs::symlink_metadata(directory) {
        Ok(metadata) if metadata.is_symlink() => {
            let problem = "its directory is a symbolic link, which could lead anywhere";
            Err(io::Error::new(io::ErrorKind::NotADirectory, problem))
        }
        _ => Ok(()),
    }
}

/// `000/000123-0123456789abcdef.html`: sorted as the lines are, unique by line and URL, spread over a thousand directories.
pub(super) fn name(index: u64, url: &Url, content_type: Option<&HeaderValue>) -> String {
    let digest = Sha256::digest(url.as_str());
    let hash = u64::from_be_bytes(digest[..8].try_into().expect("a digest is longer"));
    let shard = index / SHARD % SHARD;
    let mut name = format!("{shard:03}/{index:06}-{hash:016x}");
    if let Some(extension) = content_type.and_then(extension) {
        name.push('.');
        name.push_str(extension);
    }
    name
}

fn extension(content_type: &HeaderValue) -> Option<&'static str> {
    let essence = content_type.as_bytes().split(|&byte| byte == b';').next()?.trim_ascii();
    let known = EXTENSIONS.iter().find(|(media_type, _)| media_type.as_bytes().eq_ignore_ascii_case(essence));
    known.map(|&(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url() -> Url {
        "http://a.example/../../etc/passwd".parse().expect("a URL")
    }

    fn entries(directory: &Path) -> usize {
        fs::read_dir(directory).map_or(0, Iterator::count)
    }

    #[test]
    fn names_hold_the_index_and_a_hash_and_nothing_of_the_server() {
        let html = HeaderValue::from_static("Text/HTML; charset=utf-8");
        let odd = HeaderValue::from_static("../../x");
        let first = name(123, &url(), Some(&html));
        assert!(first.starts_with("000/000123-"), "{first}");
        assert_eq!(Path::new(&first).extension().and_then(std::ffi::OsStr::to_str), Some("html"));
        assert!(name(1_234_567, &url(), Some(&odd)).starts_with("234/1234567-"));
        assert_eq!(name(1_234_567, &url(), Some(&odd)).len(), "234/1234567-".len() + 16);
        assert_ne!(name(1, &url(), None), name(1, &"http://b.example/".parse().expect("a URL"), None));
    }

    #[tokio::test]
    async fn a_body_of_many_batches_comes_out_whole() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = BodyFile::new(directory.path(), 7, &url(), None);
        let bytes: Vec<u8> = (0..3 * BATCH + 5).map(|n| u8::try_from(n % 251).expect("less than 251")).collect();
        for chunk in bytes.chunks(100_000) {
            file.take(chunk);
            if file.is_full() {
                file.relieve().await.expect("written");
            }
        }
        let path = file.finish().await.expect("named");
        assert_eq!(fs::read(&path).expect("the file"), bytes);
        assert_eq!(entries(path.parent().expect("a directory")), 1, "no temporary file is left");
    }

    #[tokio::test]
    async fn a_body_that_is_given_up_leaves_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = BodyFile::new(directory.path(), 7, &url(), None);
        file.take(&vec![0; 2 * BATCH]);
        file.relieve().await.expect("written");
        file.written().await.expect("written");
        assert_eq!(entries(&directory.path().join("000")), 1);
        drop(file);
        assert_eq!(entries(&directory.path().join("000")), 0);
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_told_with_its_path() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("000"), "in the way").expect("a file");
        let mut file = BodyFile::new(directory.path(), 7, &url(), None);
        file.take(b"x");
        let error = file.finish().await.expect_err("a file is in the way");
        assert!(error.to_string().contains("000/000007-"), "{error}");
    }
}
