package scaffold

import (
	"maps"
	"slices"
	"strings"
)

// recomment replaces comments of init's own that the other mode has otherwise. They
// are taken line by line as init writes them; any other is the user's.
func (e *FlyEdit) recomment(data []byte) []byte {
	lines := strings.SplitAfter(string(data), "\n")
	for _, key := range slices.Sorted(maps.Keys(e.Stale)) {
		if key == "" || e.Stale[key] == e.Comments[key] {
			continue
		}
		lines = replaceComment(lines, e.Stale[key], e.Comments[key])
	}
	return []byte(strings.Join(lines, ""))
}

// dockerComments are those of init's Dockerfile that only one of the modes has.
var dockerComments = []struct{ volume, litefs string }{
	{"There is no USER line: the entrypoint starts as root, gives the volume's files to\n" +
		"FLYSQL_USER, and runs migrations and app as that user.",
		"There is no USER line: the entrypoint starts as root, as LiteFS must run, and runs\n" +
			"migrations and app as FLYSQL_USER."},
	{"FLYSQL_DB is the database for the entrypoint, which reads no variable of the app's\n" +
		"but DATABASE_URL.",
		"FLYSQL_DB is the database for the entrypoint, in the directory that LiteFS mounts."},
	{"flysql-entrypoint starts as root; the app runs as FLYSQL_USER.", rootComment},
	{"", "LiteFS mounts its directory with fuse3."},
	{"", "flysql-entrypoint starts LiteFS, as it finds /etc/litefs.yml."},
}

// rootComment stands above the USER line that LiteFS needs.
const rootComment = "flysql-entrypoint and LiteFS start as root; the app runs as FLYSQL_USER."

// recommentDocker does the same for the Dockerfile.
func recommentDocker(data []byte, litefs bool) []byte {
	lines := strings.SplitAfter(string(data), "\n")
	for _, c := range dockerComments {
		old, now := c.litefs, c.volume
		if litefs {
			old, now = now, old
		}
		if old != "" {
			lines = replaceComment(lines, old, now)
		}
	}
	return []byte(strings.Join(lines, ""))
}

// replaceComment replaces the first block of lines that is a comment of init's.
func replaceComment(lines []string, old, now string) []string {
	stale := strings.Split(old, "\n")
	for i := range lines {
		if i+len(stale) > len(lines) {
			break
		}
		matches := true
		for j, text := range stale {
			matches = matches && strings.TrimSpace(lines[i+j]) == "# "+text
		}
		if !matches {
			continue
		}
		indent := lines[i][:strings.IndexByte(lines[i], '#')]
		end := lineEnd(lines[i])
		var block []string
		if now != "" {
			for text := range strings.SplitSeq(now, "\n") {
				block = append(block, indent+"# "+text+end)
			}
		}
		return slices.Concat(lines[:i:i], block, lines[i+len(stale):])
	}
	return lines
}
