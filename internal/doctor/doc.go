// Package doctor reads the files that deploy an app together, fly.toml, Dockerfile,
// litefs.yml, litestream.yml, .dockerignore and the code, and reports what would go
// wrong on Fly. It runs nothing, needs no network, and follows no link out of the
// repository.
//
// Check finds, Report.Fix mends what has one right answer. The rules are listed by
// Rules and told in docs/rules.md; a file of rules is one topic, a function one
// rule or a few that look at the same thing.
package doctor
