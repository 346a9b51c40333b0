# syntax=docker/dockerfile:1

# The image of flysql-guestbook. Written by flysql init; yours to edit.

FROM golang:1.25-bookworm AS build
WORKDIR /src
# The modules first: they are fetched again only when go.mod or go.sum change.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o bin/guestbook ./examples/guestbook
# flysql-entrypoint boots the app: it checks the volume, runs the migrations, then
# becomes the app. It is part of this module.
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o bin/flysql-entrypoint ./cmd/flysql-entrypoint

FROM debian:bookworm-slim
# No sqlite3 from Debian: before 3.51.3, SQLite can corrupt a database in WAL mode.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 app \
    && useradd --uid 10001 --gid app --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app
WORKDIR /app
COPY --from=build /src/bin/flysql-entrypoint /src/bin/guestbook /usr/local/bin/
COPY examples/guestbook/migrations/ /app/migrations
# There is no USER line: the entrypoint starts as root, gives the volume's files to
# FLYSQL_USER, and runs migrations and app as that user.
ENV FLYSQL_USER=app FLYSQL_MIGRATIONS=/app/migrations
EXPOSE 8080
ENTRYPOINT ["flysql-entrypoint"]
CMD ["guestbook"]
