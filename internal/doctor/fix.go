package doctor

import (
	"fmt"
	"maps"
	"slices"

	"github.com/flysql/flysql/internal/scaffold"
)

// Fixes is what Fix would write.
type Fixes struct {
	Changes *scaffold.Changes // to show and to apply
	After   *Report           // what a check of the mended files finds
	Refused []error           // repairs that could not be made, with what they were for
}

// Fix mends what has one right answer, in memory, and compares with what is on disk.
func (r *Report) Fix() (*Fixes, error) {
	fixes, content := r.mend()
	plan := &scaffold.Plan{Dir: r.Dir}
	for _, name := range slices.Sorted(maps.Keys(content)) {
		plan.Files = append(plan.Files, scaffold.File{Path: name, Content: content[name]})
	}
	changes, err := plan.Compare(true)
	if err != nil {
		return nil, err
	}
	for _, change := range changes.Files {
		if string(change.Old) != string(r.app.sources[change.Path]) {
			return nil, fmt.Errorf("%s was changed by something else meanwhile: run flysql doctor again", change.Path)
		}
	}
	fixes.Changes = changes
	return fixes, nil
}

// mend makes the repairs, and returns what the changed files hold then. Repairs can
// show more that can be mended, so it goes on until nothing changes, or until it has
// made more repairs than anybody's files need.
func (r *Report) mend() (fixes *Fixes, content map[string][]byte) {
	const rounds, most = 5, 100
	made := 0
	fixes = &Fixes{After: r}
	content = map[string][]byte{}
	for range rounds {
		files := &Files{app: fixes.After.app}
		fixes.Refused = nil
		for _, f := range fixes.After.Findings {
			if f.repair == nil || made == most {
				continue
			}
			made++
			before := files.text()
			if err := f.repair(files); err != nil {
				files.restore(before) // whole or not at all
				fixes.Refused = append(fixes.Refused, fmt.Errorf("%s: %s: %w", f.Place, f.Rule.ID, err))
			}
		}
		changed := files.changed()
		if len(changed) == 0 {
			break
		}
		maps.Copy(content, changed)
		read := func(name string) ([]byte, error) {
			if data, ok := content[name]; ok {
				return data, nil
			}
			return r.read(name)
		}
		app := load(read, r.app.Facts)
		app.Remote = r.app.Remote
		fixes.After = examine(r.Dir, app, read)
	}
	return fixes, content
}
