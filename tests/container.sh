#!/usr/bin/env bash
# The image of the Dockerfile, tried as a cluster would run it: tests/container.sh STATIC_BINARY
#
# buildah builds the final stage from a binary that is there already, so that nothing is pulled. Its files are then run as a
# runtime runs them: as PID 1 of a process namespace, on a read-only root, as a user that no file knows, without environment,
# in 64 MiB. What this machine does not let us try is said at the end by name. Takes a few seconds; needs root, buildah,
# python3 and util-linux. Connects to loopback alone.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=${1:?usage: tests/container.sh STATIC_BINARY}

fail() {
    printf 'tests/container.sh: %s\n' "$*" >&2
    exit 1
}

step() {
    printf '   %s\n' "$*"
}

[ "$(id -u)" = 0 ] || fail "root is needed, for namespaces and chroot"
untested=("HTTPS with the compiled-in roots: there is no public host to ask")
work=$(mktemp -d)
store=(--root "$work/store" --runroot "$work/run" --storage-driver vfs)
container='' server='' group=''
clean_up() {
    if [ -n "$server" ]; then kill "$server" 2> /dev/null || true; fi
    if [ -n "$container" ]; then buildah "${store[@]}" rm "$container" > /dev/null || true; fi
    if [ -n "$group" ]; then rmdir "$group" 2> /dev/null || true; fi
    rm -rf "$work"
}
trap clean_up EXIT

version=$("$binary" --version)
version=${version#gather }
install -D "$binary" "$work/build/image/gather"
install -m 644 LICENSE "$work/build/image/LICENSE"
install -d -m 1777 "$work/build/image/tmp"
sed -n '/^FROM scratch/,$p' Dockerfile | sed 's|^COPY --from=build /image/ |COPY image/ |' > "$work/Dockerfile"
grep -q '^COPY image/ /$' "$work/Dockerfile" || fail "the final stage of the Dockerfile is not as it was"
image=localhost/gather-test
buildah "${store[@]}" build --quiet --isolation chroot --build-arg "VERSION=$version" \
    --file "$work/Dockerfile" --tag "$image" "$work/build" > /dev/null
container=$(buildah "${store[@]}" from --pull-never "$image")
root=$(buildah "${store[@]}" mount "$container")

step "the image is the program, its license and a place for temporary files"
files=$(cd "$root" && find . -mindepth 1 -maxdepth 1 ! -name dev ! -name proc ! -name sys ! -name etc ! -name run | sort | xargs)
[ "$files" = "./LICENSE ./gather ./tmp" ] || fail "it has: $files"
asked() {
    buildah "${store[@]}" inspect --format "{{$1}}" --type image "$image"
}
[ "$(asked .OCIv1.Config.Entrypoint)" = "[/gather]" ] || fail "its entry point is $(asked .OCIv1.Config.Entrypoint)"
[ "$(asked .OCIv1.Config.User)" = "65532:65532" ] || fail "its user is $(asked .OCIv1.Config.User)"
label=$(asked 'index .OCIv1.Config.Labels "org.opencontainers.image.version"')
[ "$label" = "$version" ] || fail "its label has version $label, and the program $version"

# 64 MiB, where a control group can be made.
if [ -w /sys/fs/cgroup/memory ] && mkdir "/sys/fs/cgroup/memory/gather-test.$$" 2> /dev/null; then
    group=/sys/fs/cgroup/memory/gather-test.$$
    limit=memory.limit_in_bytes
elif grep -qw memory /sys/fs/cgroup/cgroup.subtree_control 2> /dev/null \
    && mkdir "/sys/fs/cgroup/gather-test.$$" 2> /dev/null; then
    group=/sys/fs/cgroup/gather-test.$$
    limit=memory.max
fi
if [ -n "$group" ] && ! echo 67108864 > "$group/$limit"; then
    rmdir "$group"
    group=''
fi
[ -n "$group" ] || untested+=("a limit of 64 MiB: no control group for memory can be made here")

# PID 1 in a process and mount namespace, on the read-only root with an empty /tmp. The shell becomes the program.
cat > "$work/enter" <<'ENTER'
set -e
if [ -n "$3" ]; then echo 0 > "$3/cgroup.procs"; fi
mount --bind "$1" "$1"
mount -t tmpfs -o mode=1777,size=16m tmpfs "$1/tmp"
mount -o remount,bind,ro "$1"
chroot=$2
root=$1
shift 3
exec env -i "$chroot" --userspec=54321:54321 "$root" /gather "$@"
ENTER
contained=(timeout 120 unshare --mount --pid --fork --kill-child sh "$work/enter" "$root" "$(command -v chroot)" "$group")
if ! "${contained[@]}" --version > /dev/null 2> "$work/error"; then
    untested+=("PID 1, and a read-only root: $(head -n 1 "$work/error")")
    contained=(timeout 120 env -i "$(command -v chroot)" --userspec=54321:54321 "$root" /gather)
    "${contained[@]}" --version > /dev/null || fail "not even chroot can be used here"
fi

# Answers /ok with 100 KB; never answers /hang, and says on its output that it was asked for it.
cat > "$work/server.py" <<'SERVER'
import http.server, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/hang":
            print("hanging", flush=True)
            threading.Event().wait()
        body = b"x" * 100_000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
SERVER
coproc SERVER { exec python3 "$work/server.py"; }
server=$SERVER_PID
read -r -t 60 port <&"${SERVER[0]}" || fail "the server does not start"
url=http://127.0.0.1:$port

step "a list, on a read-only root, as an unknown user, without environment${group:+, in 64 MiB}"
for i in $(seq 2000); do printf '%s/ok?%s\n' "$url" "$i"; done > "$work/list"
"${contained[@]}" - --memory 8MiB --quiet < "$work/list" > "$work/records" || fail "exit code $?"
lines=$(grep -c '"status":200' "$work/records") || true
[ "$lines" = 2000 ] || fail "$lines of 2000 lines have a record with status 200"
if [ -n "$group" ]; then
    counts=$(cat "$group/memory.oom_control" "$group/memory.events" 2> /dev/null) || true
    killed=$(sed -n 's/^oom_kill //p' <<< "$counts")
    [ "${killed:-0}" = 0 ] || fail "killed for its memory"
fi

step "the root cannot be written to, and that is an error with a name"
code=0
"${contained[@]}" "$url/ok" -o /records.ndjson 2> "$work/error" || code=$?
if [ "$code" != 2 ] || ! grep -q records.ndjson "$work/error"; then fail "exit code $code: $(cat "$work/error")"; fi

step "what goes to /tmp is written"
"${contained[@]}" "$url/ok" -o /tmp/records.ndjson 2> /dev/null || fail "exit code $?"

# Runs the program on a request that hangs, gives it so many signals, and leaves its exit code in `code`.
interrupt() {
    local signals=$1 runner program said
    shift
    printf '%s/ok\n%s/hang\n' "$url" "$url" > "$work/list"
    "${contained[@]}" - "$@" < "$work/list" > "$work/records" 2> "$work/error" &
    runner=$!
    read -r -t 60 said <&"${SERVER[0]}" || fail "the request that hangs did not arrive: $(cat "$work/error")"
    [ "$said" = hanging ] || fail "the server says: $said"
    # The last of timeout, unshare and the program.
    program=$runner
    while said=$(pgrep -P "$program"); do program=$said; done
    kill -TERM "$program"
    if [ "$signals" = 2 ]; then
        until grep -q stopping "$work/error"; do kill -0 "$runner" || break; done
        kill -TERM "$program" 2> /dev/null || true
    fi
    code=0
    wait "$runner" || code=$?
}

step "SIGTERM to PID 1: requests in flight have --grace, then every line has its record"
interrupt 1 --grace 1 --retry 0
[ "$code" = 143 ] || fail "exit code $code: $(cat "$work/error")"
[ "$(wc -l < "$work/records")" = 2 ] || fail "two lines, but these records: $(cut -c 1-300 "$work/records")"
grep -q '"kind":"canceled"' "$work/records" || fail "no record says canceled"

step "a second SIGTERM: at once, whatever --grace says"
interrupt 2 --grace 1h --retry 0
[ "$code" = 143 ] || fail "exit code $code: $(cat "$work/error")"

untested+=("a network namespace of its own: the server is on the loopback of this machine")
for what in "${untested[@]}"; do printf '   not tested: %s\n' "$what"; done
