package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/flysql/flysql/flyconf"
)

// Existing is what a fly.toml of the repository says, as far as it answers what
// init asks. An app that runs already keeps its name, its volume and its database.
type Existing struct {
	App, Region         string
	Source, Destination string // of its one volume
	SizeGB              int
	Port                int
	Env                 map[string]string
	Release             string // a release_command that looks like a migration

	// Err says why the file cannot be read. Nothing else is known then.
	Err error
}

// readByInit are the keys of fly.toml whose values are taken over; of the tables
// among them, see reduce.
var readByInit = []string{"app", "primary_region", "env"}

var (
	migratingCommand = regexp.MustCompile(`(?i)migrat|goose|dbmate|db:prepare|db:schema|prisma|alembic`)
	plainMount       = regexp.MustCompile(`^(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$`)
	plainVolume      = regexp.MustCompile(`^[a-z0-9_]{1,30}$`)
)

// readFly reads fly.toml, if there is one. What stands in its place without being a
// file is Compare's to refuse.
func readFly(root *os.Root) *Existing {
	data, err := readSmall(root, "fly.toml")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, errTooLarge), errors.Is(err, errBinary):
		return &Existing{Err: fmt.Errorf("fly.toml %w", err)}
	case err != nil:
		return nil
	}
	config, err := flyconf.Parse("fly.toml", data)
	all := map[string]any{}
	if toml.Unmarshal(data, &all) != nil {
		return &Existing{Err: err} // with the place
	}
	if err != nil {
		// Keys that the model does not hold are no reason to lose those that it
		// does.
		reduced, marshalErr := toml.Marshal(reduce(all))
		if marshalErr != nil {
			return &Existing{Err: err}
		}
		var again error
		if config, again = flyconf.Parse("fly.toml", reduced); again != nil {
			return &Existing{Err: err}
		}
	}
	e := &Existing{App: config.App, Region: config.PrimaryRegion, Env: config.Env}
	if len(config.Mounts) == 1 {
		m := config.Mounts[0]
		if plainVolume.MatchString(m.Source) {
			e.Source = m.Source
		}
		if to := path.Clean(m.Destination); plainMount.MatchString(to) {
			e.Destination = to
		}
		e.SizeGB = m.InitialSizeGB
	}
	if config.HTTPService != nil {
		e.Port = config.HTTPService.InternalPort
	}
	if deploy, ok := all["deploy"].(map[string]any); ok {
		if command, ok := deploy["release_command"].(string); ok && migratingCommand.MatchString(command) {
			e.Release = command
		}
	}
	return e
}

// reduce keeps what init reads.
func reduce(all map[string]any) map[string]any {
	kept := pick(all, readByInit...)
	for _, name := range []string{"mounts", "mount"} {
		switch v := all[name].(type) {
		case map[string]any:
			kept[name] = pick(v, "source", "destination", "initial_size")
		case []any:
			var list []any
			for _, m := range v {
				if m, ok := m.(map[string]any); ok {
					list = append(list, pick(m, "source", "destination", "initial_size"))
				}
			}
			kept[name] = list
		}
	}
	if v, ok := all["http_service"].(map[string]any); ok {
		kept["http_service"] = pick(v, "internal_port")
	}
	return kept
}

func pick(from map[string]any, names ...string) map[string]any {
	kept := map[string]any{}
	for _, name := range names {
		if v, ok := from[name]; ok {
			kept[name] = v
		}
	}
	return kept
}

// answer fills what the answers leave open. What was derived from the app's name
// follows it when it changes: the volumes of another app are others anyway.
func (e *Existing) answer(a *Answers, variable string) {
	if e == nil || e.Err != nil {
		return
	}
	if a.App == "" {
		a.App = e.App
	}
	if a.Region == "" {
		a.Region = e.Region
	}
	if a.SizeGB == 0 {
		a.SizeGB = e.SizeGB
	}
	if a.Port == 0 {
		a.Port = e.Port
	}
	a.Mount = e.Destination
	if e.Source != volumeName(e.App) {
		a.Volume = e.Source
	}
	if a.DB != "" {
		return
	}
	for _, name := range []string{variable, "FLYSQL_DB", databaseURL} {
		db := pathOf(e.Env[name])
		if db != "" && (a.App == e.App || db != path.Join(a.mount(), e.App+".db")) {
			a.DB = db
			return
		}
	}
}

// pathOf is the path in a value such as file:///data/app.db?mode=rw; empty where it
// has none.
func pathOf(value string) string {
	value, _, _ = strings.Cut(value, "?")
	if scheme, rest, ok := strings.Cut(value, ":"); ok && (scheme == "file" || strings.HasPrefix(scheme, "sqlite")) {
		value = rest
	}
	if !path.IsAbs(value) {
		return ""
	}
	return path.Clean("/" + strings.TrimLeft(value, "/"))
}

// notes say what fly.toml has that does not go with a volume.
func (e *Existing) notes(a Answers, m Main) []string {
	if e == nil {
		return nil
	}
	if e.Err != nil {
		return []string{"nothing of the present fly.toml could be taken over: " + e.Err.Error()}
	}
	var list []string
	if e.Release != "" {
		list = append(list, fmt.Sprintf("release_command = %q must go from fly.toml: it runs on a machine of its own that has no volume, so it would migrate an empty database and leave the real one as it is. flysql-entrypoint migrates at boot, on the machine that has the volume", e.Release))
	}
	if a.Port == e.Port && m.Port != e.Port && strings.HasPrefix(m.PortReason, "the code has") {
		list = append(list, fmt.Sprintf("fly.toml has internal_port = %d, but %s: --port %d --force if the code is right", e.Port, m.PortReason, m.Port))
	}
	return list
}

// beside are files of other tools that matter to a volume.
var beside = []struct {
	names []string
	note  string
}{
	{[]string{"litefs.yml", "etc/litefs.yml", "config/litefs.yml"},
		"%s: LiteFS is not set up by flysql init yet. With these files there is one machine with a volume, and LiteFS must not be started: its FUSE directory would hide the volume's files"},
	{[]string{"litestream.yml", "etc/litestream.yml", "config/litestream.yml"},
		"%s: Litestream goes well with a volume. Have it replicate %s, and start the app by it: --command \"litestream replicate -exec APP\""},
}

// findBeside lists which of these files are there.
func findBeside(root *os.Root) []string {
	var found []string
	for _, b := range beside {
		for _, name := range b.names {
			if info, err := root.Lstat(name); err == nil && info.Mode().IsRegular() {
				found = append(found, name)
			}
		}
	}
	return found
}

func besideNotes(found []string, db string) []string {
	var list []string
	for _, name := range found {
		for _, b := range beside {
			for _, known := range b.names {
				if known == name {
					list = append(list, strings.ReplaceAll(strings.Replace(b.note, "%s", name, 1), "%s", db))
				}
			}
		}
	}
	return list
}
