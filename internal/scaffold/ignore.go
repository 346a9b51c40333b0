package scaffold

import "strings"

// IgnoreAddition is what a .dockerignore of the user's own lacks.
type IgnoreAddition struct{ Patterns []string }

func (a *IgnoreAddition) to(data []byte) ([]byte, error) {
	have := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		have[strings.TrimSpace(line)] = true
	}
	var missing []string
	for _, pattern := range a.Patterns {
		if !have[pattern] {
			missing = append(missing, pattern)
		}
	}
	if len(missing) == 0 {
		return data, nil
	}
	end := lineEnd(string(data))
	text := string(data)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += end
	}
	text += end + "# A local database must never reach an image, nor what flysql keeps beside it." + end
	for _, pattern := range missing {
		text += pattern + end
	}
	return []byte(text), nil
}

// neededIgnores are the patterns that a .dockerignore of the user's own must have
// too.
var neededIgnores = []string{
	"**/*.db", "**/*.db-wal", "**/*.db-shm", "**/*.db-journal",
	"**/*.sqlite", "**/*.sqlite-*", "**/*.sqlite3", "**/*.sqlite3-*",
	"**/.flysql/*", "!.flysql/src",
}

// dockerignore is the same for every app.
func dockerignore() (File, error) {
	content, err := templates.ReadFile("templates/dockerignore")
	return File{Path: ".dockerignore", Content: content, Edit: &IgnoreAddition{Patterns: neededIgnores}, Marked: true, Adds: true}, err
}
