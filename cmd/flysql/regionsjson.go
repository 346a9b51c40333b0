package main

import "github.com/flysql/flysql/internal/fleet"

// What flysql regions add and remove print with --json. docs/regions.md documents it; it
// only ever grows.

type addJSON struct {
	App      string              `json:"app"`
	Group    string              `json:"group"`
	Pending  bool                `json:"pending"` // something is to be done
	Primary  string              `json:"primary"` // the machine; empty: the group has no volume
	From     string              `json:"from"`    // the machine that is copied
	Machines []newMachineJSON    `json:"machines"`
	Volumes  []regionsVolumeJSON `json:"volumes"` // those that are to be made, changed, or taken
	Notes    []string            `json:"notes"`
	Result   *addResultJSON      `json:"result"` // null: --dry-run
}

type newMachineJSON struct {
	Region  string `json:"region"`
	Name    string `json:"name"`
	ID      string `json:"id"`      // empty: to be made; else begun by a run before
	Guarded bool   `json:"guarded"` // no candidate until it has caught up
}

type regionsVolumeJSON struct {
	ID     string `json:"id"` // empty: to be made
	Name   string `json:"name"`
	Region string `json:"region"`
	SizeGB int    `json:"size_gb"`
}

type addResultJSON struct {
	Volumes  []string `json:"volumes"`  // made
	Machines []string `json:"machines"` // caught up
	Begun    string   `json:"begun"`    // the one with which it ended; empty: none
	Left     int      `json:"left"`     // not caught up
}

func addJSONOf(p *fleet.AddPlan, r *fleet.AddResult) addJSON {
	out := addJSON{App: p.App, Group: p.Group, Pending: p.Pending(), From: p.From.ID, Machines: []newMachineJSON{}, Volumes: []regionsVolumeJSON{}, Notes: append([]string{}, p.Notes...)}
	if p.Primary != nil {
		out.Primary = p.Primary.ID
	}
	for _, m := range p.Machines {
		out.Machines = append(out.Machines, newMachineJSON{Region: m.Region, Name: m.Name, ID: m.ID, Guarded: m.Guarded})
	}
	if p.Volumes != nil && p.Pending() {
		for i := range p.Volumes.Volumes {
			if v := &p.Volumes.Volumes[i]; v.Changed() || p.Takes(v) {
				out.Volumes = append(out.Volumes, regionsVolumeJSON{v.ID, v.Name, v.Region, v.Then.SizeGB})
			}
		}
	}
	if r != nil {
		out.Result = &addResultJSON{append([]string{}, r.Volumes...), append([]string{}, r.Machines...), r.Begun, r.Left}
	}
	return out
}

type removeJSON struct {
	App           string              `json:"app"`
	Group         string              `json:"group"`
	Pending       bool                `json:"pending"`
	Primary       string              `json:"primary"`
	Machines      []string            `json:"machines"`
	Volumes       []regionsVolumeJSON `json:"volumes"`
	DeleteVolumes bool                `json:"delete_volumes"`
	Notes         []string            `json:"notes"`
	Result        *removeResultJSON   `json:"result"` // null: --dry-run
}

type removeResultJSON struct {
	Machines  []string `json:"machines"`  // gone
	Snapshots []string `json:"snapshots"` // taken
	Kept      []string `json:"kept"`      // volumes
	Deleted   []string `json:"deleted"`   // volumes
	Begun     string   `json:"begun"`
	Left      int      `json:"left"`
}

func removeJSONOf(p *fleet.RemovePlan, r *fleet.RemoveResult) removeJSON {
	out := removeJSON{App: p.App, Group: p.Group, Pending: p.Pending(), Machines: []string{}, Volumes: []regionsVolumeJSON{}, DeleteVolumes: p.Delete, Notes: append([]string{}, p.Notes...)}
	if p.Primary != nil {
		out.Primary = p.Primary.ID
	}
	for _, m := range p.Machines {
		out.Machines = append(out.Machines, m.ID)
	}
	for _, v := range p.Volumes {
		out.Volumes = append(out.Volumes, regionsVolumeJSON{v.ID, v.Name, v.Region, v.SizeGb})
	}
	if r != nil {
		all := func(list []string) []string { return append([]string{}, list...) }
		out.Result = &removeResultJSON{all(r.Machines), all(r.Snapshots), all(r.Kept), all(r.Deleted), r.Begun, r.Left}
	}
	return out
}
