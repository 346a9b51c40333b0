package main

import (
	"time"

	"github.com/flysql/flysql/internal/fleet"
	"github.com/flysql/flysql/internal/nodestatus"
)

// statusJSON is what flysql status --json prints. docs/status.md documents it; it only
// ever grows.
type statusJSON struct {
	App           string           `json:"app"`
	Config        string           `json:"config"` // "" without a fly.toml
	PrimaryRegion string           `json:"primary_region"`
	Machines      []machineJSON    `json:"machines"`
	Volumes       []volumeJSON     `json:"volumes"`
	Lease         leaseJSON        `json:"lease"`
	Differences   []differenceJSON `json:"differences"`
}

type machineJSON struct {
	ID            string             `json:"id"`
	Name          string             `json:"name"`
	Region        string             `json:"region"`
	Group         string             `json:"group"`
	State         string             `json:"state"`
	HostStatus    string             `json:"host_status"`
	Image         string             `json:"image"`  // tag, or short digest
	Digest        string             `json:"digest"` // "" where Fly does not say
	ChecksPassing int                `json:"checks_passing"`
	ChecksTotal   int                `json:"checks_total"`
	Via           string             `json:"via"`     // private address, exec; "" where it could not be asked
	Unknown       string             `json:"unknown"` // why not
	Status        *nodestatus.Status `json:"status"`  // as flysql-entrypoint --status --json; null where not known
}

type volumeJSON struct {
	ID            string     `json:"id"`
	Name          string     `json:"name"`
	Region        string     `json:"region"`
	Zone          string     `json:"zone"`
	State         string     `json:"state"`
	SizeGB        int        `json:"size_gb"`
	UsedBytes     *int64     `json:"used_bytes"` // null where not known
	RetentionDays int        `json:"snapshot_retention"`
	Scheduled     bool       `json:"scheduled_snapshots"`
	SnapshotAt    *time.Time `json:"last_snapshot_at"` // null where there is none, or it was not asked for
	Snapshots     *int       `json:"snapshots"`        // null where they were not asked for
	HostStatus    string     `json:"host_status"`
	Machine       string     `json:"machine"`
}

type leaseJSON struct {
	LiteFS    bool                `json:"litefs"`
	Primary   string              `json:"primary"` // as all nodes that were asked say; "" where they do not agree
	Primaries []string            `json:"primaries"`
	Named     map[string][]string `json:"named"` // whom nodes take for the primary, and which machines those are
	Holders   []string            `json:"holders"`
	Clusters  map[string][]string `json:"clusters"`
}

type differenceJSON struct {
	Kind    fleet.Kind `json:"kind"`
	Key     string     `json:"key"`
	Region  string     `json:"region"`
	Machine string     `json:"machine"`
	Volume  string     `json:"volume"`
	Message string     `json:"message"`
}

func (s *statusOf) json() statusJSON {
	out := statusJSON{App: s.client.AppName(), Config: s.file, Machines: []machineJSON{}, Volumes: []volumeJSON{}, Differences: []differenceJSON{}}
	if s.config != nil {
		out.PrimaryRegion = s.config.PrimaryRegion
	}
	for _, m := range s.fleet.Machines {
		n, checks := s.nodes[m.ID], m.AllHealthChecks()
		one := machineJSON{ID: m.ID, Name: m.Name, Region: m.Region, Group: fleet.Group(m), State: m.State, HostStatus: string(m.HostStatus),
			Image: fleet.ShortImage(m), Digest: m.ImageRef.Digest, ChecksPassing: checks.Passing, ChecksTotal: checks.Total, Via: n.Via, Unknown: n.Unknown}
		if n.Via != "" {
			one.Status = &n.Status
		}
		out.Machines = append(out.Machines, one)
	}
	holders := s.fleet.Holders()
	for _, v := range s.fleet.Volumes {
		one := volumeJSON{ID: v.ID, Name: v.Name, Region: v.Region, Zone: v.Zone, State: v.State, SizeGB: v.SizeGb, RetentionDays: v.SnapshotRetention,
			Scheduled: v.AutoBackupEnabled, HostStatus: v.HostStatus, Machine: holders[v.ID]}
		if disk := s.nodes[one.Machine].Volume; disk.Size > 0 {
			used := disk.Size - disk.Free
			one.UsedBytes = &used
		}
		if s.fleet.Parts&fleet.Snapshots != 0 {
			n := len(s.fleet.Snapshots[v.ID])
			one.Snapshots = &n
			if last, ok := s.fleet.LastSnapshot(v.ID); ok {
				at := last.CreatedAt.UTC()
				one.SnapshotAt = &at
			}
		}
		out.Volumes = append(out.Volumes, one)
	}
	primary, _ := s.lead.Agreed()
	out.Lease = leaseJSON{LiteFS: s.lead.LiteFS, Primary: primary, Primaries: append([]string{}, s.lead.Primaries...),
		Named: s.lead.Named, Holders: append([]string{}, s.lead.Holders...), Clusters: s.lead.Clusters}
	for _, d := range s.differences {
		out.Differences = append(out.Differences, differenceJSON(d))
	}
	return out
}
