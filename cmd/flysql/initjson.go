package main

import (
	"io"

	"github.com/flysql/flysql/internal/scaffold"
)

// initJSON is what flysql init --json prints. docs/init.md documents it; it only
// ever grows.
type initJSON struct {
	Dir        string         `json:"dir"`
	App        string         `json:"app"`
	Region     string         `json:"region"`
	Regions    []string       `json:"regions"` // of replicas
	DB         string         `json:"db"`
	SizeGB     int            `json:"size_gb"`
	Mode       string         `json:"mode"`        // volume or litefs
	ModeBefore string         `json:"mode_before"` // of the files that were there; empty: none
	Main       string         `json:"main"`        // empty where the app is not written in Go
	Workers    []string       `json:"workers"`     // main packages that other process groups run
	Command    string         `json:"command"`     // as given; empty: the program, or the Dockerfile's own
	Port       int            `json:"port"`
	ProxyPort  int            `json:"proxy_port"` // of LiteFS's proxy, in front of the app; 0: none
	Migrations string         `json:"migrations"` // empty: none
	Files      []initFileJSON `json:"files"`
	Notes      []string       `json:"notes"`
	Written    bool           `json:"written"`
	Next       []string       `json:"next"`
	Steps      []initStepJSON `json:"steps"` // next, with what each is for
}

type initStepJSON struct {
	Command string `json:"command"`
	Why     string `json:"why"`
}

type initFileJSON struct {
	Path   string `json:"path"`   // ends in / where it stands for a directory
	Action string `json:"action"` // create, edit, overwrite, unchanged, conflict, keep
	Files  int    `json:"files"`
	Bytes  int64  `json:"bytes"`
	Diff   string `json:"diff,omitempty"`   // not for directories
	Advice string `json:"advice,omitempty"` // a diff too: what the user should add to a file that is kept
}

func writeInitJSON(w io.Writer, plan *scaffold.Plan, changes *scaffold.Changes, force, written bool) error {
	a := plan.Answers
	out := initJSON{
		Dir: plan.Dir, App: a.App, Region: a.Region, DB: a.DB, SizeGB: a.SizeGB,
		Mode: string(a.Mode), ModeBefore: string(a.From), ProxyPort: a.Proxy,
		Regions: append([]string{}, a.Regions...), Workers: append([]string{}, a.Workers...), Main: a.Main, Command: a.Command, Port: a.Port, Migrations: a.Migrations,
		Files: []initFileJSON{}, Notes: append([]string{}, plan.Notes...),
		Written: written, Next: []string{}, Steps: []initStepJSON{},
	}
	if a.Migrations == scaffold.NoMigrations {
		out.Migrations = ""
	}
	for _, g := range changes.Groups() {
		file := initFileJSON{Path: g.Path, Action: string(g.Action)}
		file.Files, file.Bytes = g.Size()
		if g.Single() && g.Action == scaffold.Overwrite && !force {
			file.Action = "conflict"
		}
		if g.Single() {
			file.Diff, file.Advice = g.Files[0].Diff(), g.Files[0].AdviceDiff()
		}
		out.Files = append(out.Files, file)
	}
	for _, s := range plan.Next {
		out.Next = append(out.Next, s.Command)
		out.Steps = append(out.Steps, initStepJSON{s.Command, s.Why})
	}
	return encodeJSON(w, out)
}
