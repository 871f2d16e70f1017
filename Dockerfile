# gather as an image of one static binary: no shell, no libc, no certificates but those compiled in, no root.
#
#   docker build -t gather .
#   docker run --rm gather https://example.com/
#   docker run --rm -i gather < urls.txt
#   docker run --rm -v "$PWD:/data" -w /data -u "$(id -u)" gather urls.txt -o records.ndjson

# Must be the version in Cargo.toml; the build checks it.
ARG VERSION=0.1.0

# Not the slim image: the allocator is built with make.
FROM rust:1.95-bookworm AS build
ARG TARGETARCH
ARG VERSION
WORKDIR /build

# Static glibc. With a target of its own, the flag does not reach build scripts and procedural macros, which cannot be static.
# The allocator must know the size of pages, and kernels for arm64 have pages of up to 2^16 bytes.
RUN case "${TARGETARCH:-$(dpkg --print-architecture)}" in \
        amd64) target=x86_64-unknown-linux-gnu; page=12 ;; \
        arm64) target=aarch64-unknown-linux-gnu; page=16 ;; \
        *) echo "no image for ${TARGETARCH}: only amd64 and arm64" >&2; exit 1 ;; \
    esac; \
    mkdir .cargo; \
    printf '[build]\ntarget = "%s"\ntarget-dir = "/target"\nrustflags = ["-C", "target-feature=+crt-static"]\n[env]\nJEMALLOC_SYS_WITH_LG_PAGE = "%s"\n' \
        "$target" "$page" > .cargo/config.toml

# The dependencies alone, on empty sources: a layer that stays until the lock file changes.
COPY Cargo.toml Cargo.lock ./
RUN for file in $(sed -n 's/^path = "\(.*\)"$/\1/p' Cargo.toml) src/lib.rs; do \
        mkdir -p "$(dirname "$file")" && echo 'fn main() {}' > "$file"; \
    done; \
    cargo build --release --locked

# The program. Its files are older than what was just built from the empty ones, and cargo goes by time.
COPY . .
RUN find src -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --bin gather \
    && install -D /target/*/release/gather /image/gather \
    && install -m 644 LICENSE /image/LICENSE \
    && install -d -m 1777 /image/tmp \
    && if readelf --program-headers /image/gather | grep -q INTERP; then echo "gather is not static" >&2; exit 1; fi \
    && test "$(/image/gather --version)" = "gather ${VERSION}"

FROM scratch
ARG VERSION
ARG REVISION=unknown
LABEL org.opencontainers.image.title="gather" \
      org.opencontainers.image.description="Fetch lists of URLs: concurrently, politely, one complete record per line, in input order" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image/ /
USER 65532:65532
ENTRYPOINT ["/gather"]
