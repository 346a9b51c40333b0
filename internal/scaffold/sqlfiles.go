package scaffold

import (
	"bytes"
	"cmp"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	golangMigrateFile = regexp.MustCompile(`^[0-9]+_.*\.(up|down)\.sql$`)
	migrationMark     = regexp.MustCompile(`(?m)^\s*--\s*(\+goose\s+Up|migrate:up)\b`)
	// plainPath is what a Dockerfile takes as it stands: no spaces, no $.
	plainPath = regexp.MustCompile(`^[A-Za-z0-9._+@/-]+$`)
)

// maxScripts bounds the SQL files that are remembered, far above any app's.
const maxScripts = 2000

// migrationsDir is what the directories of migrations are called: Prisma's are one
// level deeper, and drizzle is Drizzle's own.
var migrationsDir = regexp.MustCompile(`(?i)(^|[/_-])(migrations?|migrate|drizzle)(/|$)`)

// migrationTool tells whether an SQL file is one of goose's, golang-migrate's or
// dbmate's. It is empty for any other SQL, which is the app's own business.
func migrationTool(root *os.Root, name string) string {
	if golangMigrateFile.MatchString(path.Base(name)) {
		return "golang-migrate"
	}
	data, err := readSmall(root, name)
	if err != nil {
		return ""
	}
	m := migrationMark.FindSubmatch(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	switch {
	case m == nil:
		return ""
	case bytes.HasPrefix(m[1], []byte("+goose")):
		return "goose"
	}
	return "dbmate"
}

// migrationsFor picks, among all directories with migrations, those that are
// likely main's: its own first, then the usual places. Directories that belong
// to another main package are not its.
func migrationsFor(main string, dirs []string, mains []Main) []string {
	var found []string
	best := 0
	for _, dir := range dirs {
		if ofAnother(dir, main, mains) {
			continue
		}
		switch rank := migrationsRank(main, dir); {
		case found == nil || rank < best:
			found, best = []string{dir}, rank
		case rank == best:
			found = append(found, dir)
		}
	}
	slices.SortFunc(found, cmp.Compare[string])
	return found
}

func migrationsRank(main, dir string) int {
	switch {
	case dir == path.Join(main, "migrations"):
		return 0
	case dir == "migrations":
		return 1
	case dir == "db/migrations":
		return 2
	case path.Base(dir) == "migrations":
		return 3
	}
	return 4
}

func ofAnother(dir, main string, mains []Main) bool {
	for _, m := range mains {
		if m.Dir != main && m.Dir != "." && within(dir, m.Dir) && !within(main, m.Dir) {
			return true
		}
	}
	return false
}

// within tells whether dir is parent or below it.
func within(dir, parent string) bool {
	return parent == "." || dir == parent || strings.HasPrefix(dir, parent+"/")
}
