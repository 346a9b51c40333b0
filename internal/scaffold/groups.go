package scaffold

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"
)

// skipFlag starts the command of a process group whose machines have no volume: it
// tells flysql-entrypoint, which stands before every group, to touch no database.
const skipFlag = "--skip"

// programs are the main packages that the image has: the app, then what other
// process groups run.
func (f *Facts) programs(a Answers) []Main {
	var list []Main
	for _, dir := range append([]string{a.Main}, a.Workers...) {
		if m, ok := f.main(dir); ok {
			list = append(list, m)
		}
	}
	return list
}

// splitMains parts the packages that --main names from one another.
func splitMains(main string, workers []string) (string, []string) {
	first, rest, several := strings.Cut(main, ",")
	if !several {
		return main, workers
	}
	return first, append(strings.Split(rest, ","), workers...)
}

// completeMains answers which main packages belong to the app: those of --main, or
// those that the process groups of fly.toml run.
func (f *Facts) completeMains(a *Answers) (Main, error) {
	var mains []Main
	for dir := range strings.SplitSeq(a.Main, ",") {
		if dir = strings.TrimSpace(dir); dir == "" {
			continue
		}
		m, ok := f.main(dir)
		if !ok {
			return Main{}, f.noSuchMain(dir)
		}
		if !slices.ContainsFunc(mains, func(o Main) bool { return o.Dir == m.Dir }) {
			mains = append(mains, m)
		}
	}
	for _, dir := range a.Workers {
		m, ok := f.main(dir)
		if !ok {
			return Main{}, f.noSuchMain(dir)
		}
		mains = append(mains, m)
	}
	if len(mains) == 0 {
		mains = f.startedByGroups()
	}
	switch {
	case len(mains) > 0:
	case len(f.Mains) == 0:
		return Main{}, fmt.Errorf("no main package in %s: flysql init sets up a Go program; is this the app's module? An app in another language needs a Dockerfile of its own", f.Dir)
	case len(f.Mains) > 1:
		return Main{}, &ChoiceError{Flag: "--main", What: "main packages", Choices: f.packages()}
	default:
		mains = f.Mains[:1]
	}
	a.Main, a.Workers = mains[0].Package(), nil
	for _, m := range mains[1:] {
		a.Workers = append(a.Workers, m.Package())
	}
	for _, m := range f.startedByGroups() {
		if dir := m.Package(); dir != a.Main && !slices.Contains(a.Workers, dir) {
			a.Workers = append(a.Workers, dir)
		}
	}
	return mains[0], nil
}

// startedByGroups are the main packages whose programs fly.toml's process groups
// run, that of the group with the requests first. It is none where that group runs
// something else.
func (f *Facts) startedByGroups() []Main {
	groups := f.Fly.groups()
	if len(groups) == 0 {
		return nil
	}
	var list []Main
	for _, group := range append([]string{f.Fly.Web}, groups...) {
		m, ok := f.started(f.Fly.Processes[group])
		if !ok {
			if group == f.Fly.Web {
				return nil
			}
			continue
		}
		if !slices.ContainsFunc(list, func(o Main) bool { return o.Dir == m.Dir }) {
			list = append(list, m)
		}
	}
	return list
}

// started is the main package whose program a command runs.
func (f *Facts) started(command string) (Main, bool) {
	words, err := shellquote.Split(command)
	if len(words) > 0 && words[0] == skipFlag {
		words = words[1:]
	}
	if err != nil || len(words) == 0 {
		return Main{}, false
	}
	for _, m := range f.Mains {
		if m.Binary == path.Base(words[0]) {
			return m, true
		}
	}
	return Main{}, false
}

// groups are the process groups: those of fly.toml, or one for each program where
// there are several. nil stands for Fly's single group.
func (f *Facts) groups(a Answers) map[string]string {
	if f.Fly != nil && len(f.Fly.Processes) > 0 {
		groups := map[string]string{}
		for name, command := range f.Fly.Processes {
			groups[name] = command
			// With LiteFS, a machine with a volume of its own would become a
			// candidate for the primary.
			if name != f.Fly.Web && (a.Mode == LiteFS || !slices.Contains(f.Fly.Mounted, name)) {
				groups[name] = skipping(command)
			}
		}
		return groups
	}
	if len(a.Workers) == 0 {
		return nil
	}
	groups := map[string]string{}
	for i, m := range f.programs(a) {
		command := m.Binary
		if i == 0 && a.Command != "" {
			command = a.Command
		}
		if i > 0 {
			command = skipping(command)
		}
		groups[m.Binary] = command
	}
	return groups
}

// skipping is a command for a machine without a volume.
func skipping(command string) string {
	if words, err := shellquote.Split(command); err == nil && len(words) > 0 && words[0] == skipFlag {
		return command
	}
	return skipFlag + " " + command
}

// web is the process group that has the volume and takes requests; empty where
// there is a single one.
func (f *Facts) web(a Answers, m Main) string {
	switch {
	case f.Fly != nil && len(f.Fly.Processes) > 0:
		return f.Fly.Web
	case len(a.Workers) > 0:
		return m.Binary
	}
	return ""
}

// checkWorkers refuses programs that would have a database of their own.
func (f *Facts) checkWorkers(a Answers) error {
	if f.Fly != nil && len(f.Fly.Processes) > 0 {
		return nil // they run already: there is a note
	}
	names := map[string]string{}
	for i, m := range f.programs(a) {
		if other := names[m.Binary]; other != "" {
			return fmt.Errorf("--main %s: its program is called %s, as that of %s is: the image can have one of that name", m.Package(), m.Binary, other)
		}
		names[m.Binary] = m.Package()
		if i > 0 && m.Driver != "" {
			return fmt.Errorf("--main %s: it uses the database (%s), and a process group has machines of its own, with volumes of their own: it would never see the app's rows. Start it within the app's machine, best as a part of the app; only programs without the database can be a group", m.Package(), m.Driver)
		}
	}
	return nil
}

// groupNotes tell what follows from several process groups.
func (f *Facts) groupNotes(a Answers, m Main) []string {
	var list []string
	for _, name := range f.Fly.groups() {
		if command := f.Fly.Processes[name]; !f.runs(command) {
			list = append(list, fmt.Sprintf("the process group %q runs %q, which the image does not have: its programs are in PATH by their names alone, %s", name, command, m.Binary))
		}
	}
	if len(f.groups(a)) < 2 {
		return list
	}
	web := f.web(a, m)
	list = append(list, fmt.Sprintf("each process group has machines of its own, and a volume belongs to one machine: only %q has the database. What else needs it must be started within the same machine; the other groups begin with %s, by which flysql-entrypoint starts them without a database", web, skipFlag))
	for _, name := range f.Fly.groups() {
		if other, ok := f.started(f.Fly.Processes[name]); ok && name != web && other.Driver != "" {
			list = append(list, fmt.Sprintf("the process group %q runs %s, which uses SQLite (%s): it does not see the app's database, neither by a volume of its own nor without one. Start it within the machines of %q", name, other.Package(), other.Driver, web))
		}
	}
	return list
}
