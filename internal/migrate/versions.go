package migrate

import (
	"fmt"
	"math"
	"regexp"
	"sort"
	"strconv"
)

// migrations returns the migrations of the directory as tool would run them.
func (d *directory) migrations(tool Tool) ([]Migration, error) {
	if tool == Goose && len(d.code) > 0 {
		return nil, fmt.Errorf("%s: a goose migration written in Go is part of a program and cannot be run from a directory; "+
			"run the program that has it with --migrate, or call goose from the app itself", list(d.code))
	}
	var out []Migration
	var err error
	if tool == GolangMigrate {
		out, err = d.paired()
	} else {
		out, err = d.single(tool)
	}
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w for %s in %s", ErrNoMigrations, tool, d.path)
	}
	sortMigrations(tool, out)
	return out, nil
}

// single reads the directory of a tool that has both directions in one file.
func (d *directory) single(tool Tool) ([]Migration, error) {
	files := make(map[string]string) // by version
	var out []Migration
	for _, c := range d.sql {
		m := Migration{File: c.path}
		var marked bool
		if tool == Goose {
			marked, m.NoTx = c.marks.goose, c.marks.gooseNoTx
		} else {
			marked, m.NoTx = c.marks.dbmate, c.marks.dbmateNoTx
		}
		if !marked {
			return nil, fmt.Errorf("%s is not marked for %s: %s", c.path, tool, howToMark)
		}
		var err error
		if m.Version, err = version(tool, c); err != nil {
			return nil, err
		}
		if other := files[m.Version]; other != "" {
			return nil, sameVersion(m.Version, other, c.path)
		}
		files[m.Version] = c.path
		out = append(out, m)
	}
	return out, nil
}

// paired reads the directory of golang-migrate, which has a file for each direction. A version with a
// down file only is one too.
func (d *directory) paired() ([]Migration, error) {
	up, down := make(map[string]string), make(map[string]string)
	for _, c := range d.sql {
		v, err := version(GolangMigrate, c)
		if err != nil {
			return nil, err
		}
		files := up
		if golangMigrateName.FindStringSubmatch(c.entry.Name())[2] == "down" {
			files = down
		}
		if other := files[v]; other != "" {
			return nil, sameVersion(v, other, c.path)
		}
		files[v] = c.path
	}
	if len(up) == 0 {
		return nil, nil
	}
	var out []Migration
	for v, file := range up {
		out = append(out, Migration{Version: v, File: file})
	}
	for v, file := range down {
		if up[v] == "" {
			out = append(out, Migration{Version: v, File: file})
		}
	}
	return out, nil
}

func sameVersion(version, a, b string) error {
	return fmt.Errorf("%s and %s have the same version %s; give one of them another number", a, b, version)
}

// version returns the version in the name of a file as tool writes it down.
func version(tool Tool, c candidate) (string, error) {
	var name *regexp.Regexp
	pattern := "0001_name.sql"
	switch tool {
	case Goose:
		name = gooseName
	case Dbmate:
		name = dbmateName
	case GolangMigrate:
		name, pattern = golangMigrateName, "0001_name.up.sql or 0001_name.down.sql"
	}
	m := name.FindStringSubmatch(c.entry.Name())
	if m == nil {
		return "", fmt.Errorf("%s would not be run by %s: its name must be like %s", c.path, tool, pattern)
	}
	if tool == Dbmate {
		return m[1], nil
	}
	n, err := strconv.ParseUint(m[1], 10, 64)
	switch {
	case err != nil, n > math.MaxInt64:
		return "", fmt.Errorf("%s: the number %s is too large for %s", c.path, m[1], tool)
	case n == 0 && tool == Goose:
		return "", fmt.Errorf("%s would not be run by goose: versions begin with 1", c.path)
	}
	return strconv.FormatUint(n, 10), nil
}

// sortMigrations brings them into the order in which the tool runs them.
func sortMigrations(tool Tool, m []Migration) {
	sort.SliceStable(m, func(i, j int) bool {
		if tool == Dbmate { // by the name of the file: 10_x.sql comes before 9_x.sql
			return m[i].File < m[j].File
		}
		return newer(m[j].Version, m[i].Version)
	})
}

// newer tells whether version a comes after b. Both are decimal numbers; dbmate's may be of any length and
// with zeros in front.
func newer(a, b string) bool {
	for len(a) > len(b) && a[0] == '0' {
		a = a[1:]
	}
	for len(b) > len(a) && b[0] == '0' {
		b = b[1:]
	}
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	return a > b
}
