package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/dump"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

const (
	// importPlanFile is read unasked where it is here.
	importPlanFile = "flysql-import.toml"
	// noPlanFile is --plan's word for the defaults, whichever files are here.
	noPlanFile = "none"
	// planFileMost bounds a file of choices.
	planFileMost = 16 << 20
)

// importedPlanFile is where an import writes what it has chosen, beside the database: for
// flysql verify, and for whoever asks later what was lost.
func importedPlanFile(target string) string { return target + ".import.toml" }

// options reads the file of choices, and puts the flags over it. Where --plan names none,
// it is the one that is usual, if that is there.
func (f *importChoices) options(source move.Source, usual string) (o move.Options, file string, err error) {
	switch f.plan {
	case "":
		if _, err := os.Stat(usual); err == nil {
			file = usual
		}
	case noPlanFile:
	default:
		file = f.plan
	}
	if file != "" {
		data, err := readFile(file, planFileMost)
		if err != nil {
			return o, "", fmt.Errorf("read %s: %w", file, err)
		}
		if o, err = move.ReadOptions(file, data); err != nil {
			return o, "", err
		}
	}
	o, err = f.over.Apply(source.Schema(), o)
	if err != nil {
		return o, "", &usageError{err}
	}
	return o, file, onlyLive(source, o)
}

// onlyLive refuses conditions on a dump's rows before anything is made.
func onlyLive(source move.Source, o move.Options) error {
	if _, ok := source.(*dump.Dump); !ok {
		return nil
	}
	for _, t := range source.Schema().Tables {
		if o.Tables[t.String()].Where != "" {
			return fmt.Errorf("%s: rows of a dump cannot be chosen by a condition, which only PostgreSQL can read: leave out where, or load the dump into PostgreSQL and import from there", t)
		}
	}
	return nil
}

// inDump refuses a plan for values that a dump does not have: those of generated columns.
func inDump(source move.Source, plan *move.Plan) error {
	if _, ok := source.(*dump.Dump); !ok {
		return nil
	}
	var missing []string
	for _, t := range plan.Tables {
		for _, c := range t.Copied() {
			if c.Source.Generated != "" {
				missing = append(missing, t.Source.String()+"."+pgexpr.PgIdent(c.Source.Name))
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%s: how it is computed cannot be carried, and a dump has no values of generated columns: leave it out (skip = true in a file for --plan, see --plan-out), or import from PostgreSQL itself", strings.Join(missing, ", "))
}

// inPlanFile says which file an error of a plan may be about.
func inPlanFile(file string, err error) error {
	if err == nil || file == "" {
		return err
	}
	return fmt.Errorf("%w\nthe choices are those of %s; --plan none leaves it out", err, file)
}

// needSchema refuses a dump that has rows only.
func needSchema(source move.Source, from *importSource) error {
	d, ok := source.(*dump.Dump)
	if !ok || len(d.Schema().Tables) > 0 || len(d.Data()) == 0 {
		return nil
	}
	return fmt.Errorf("%s has rows and no tables: it is made with --data-only. Dump again without that, or with pg_dump %s, or give it a schema: --migrations, --into-existing", from.shown, "--section=pre-data --section=data --section=post-data")
}

// writePlanFile writes --plan-out. A file that is there is somebody's work.
func (c *cli) writePlanFile(ctx context.Context, f *importFlags, data []byte) error {
	if _, err := os.Lstat(f.planOut); err == nil && !f.yes && !f.replace {
		ask, err := c.newPrompter()
		if err != nil {
			return err
		}
		if ask == nil {
			return usagef("%s is there: give --replace to write it anew, or another name; %s", f.planOut, nothingWritten)
		}
		err = ask.confirm(ctx, flat(f.planOut)+" is there. Write it anew? What stands in it is lost", "no")
		if err := errors.Join(err, ask.close()); err != nil {
			return err
		}
	}
	return writeWhole(f.planOut, data)
}

// keepPlan writes what was chosen beside the database. The file that was there before
// keeps what it was made by.
func (c *cli) keepPlan(job *importJob, kept string) error {
	var err error
	if _, there := os.Lstat(importedPlanFile(job.target)); there == nil && kept != "" {
		err = os.Rename(importedPlanFile(job.target), importedPlanFile(kept))
	}
	if err == nil {
		err = writeWhole(importedPlanFile(job.target), job.plan.TOML())
	}
	if err != nil {
		return fmt.Errorf("%s is whole and proven, and its choices could not be written beside it: %w; keep those that were given, for flysql verify", job.target, err)
	}
	return nil
}

// writeWhole writes a file that is whole or not there, and on the disk.
func writeWhole(path string, data []byte) error {
	return writeWholeBy(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// writeWholeBy is writeWhole of what a function writes.
func writeWholeBy(path string, write func(io.Writer) error) error {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		if !info.Mode().IsRegular() {
			return fmt.Errorf("write %s: it is no regular file", path)
		}
		mode = info.Mode().Perm()
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, pathless(err))
	}
	b := bufio.NewWriter(f)
	if err = write(b); err == nil {
		err = b.Flush()
	}
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return syncDirectory(dir)
}

// syncDirectory makes the names in a directory durable, where a system can.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync() // Windows has none for directories
	return d.Close()
}
