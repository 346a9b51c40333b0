package main

import (
	"io"

	"github.com/flysql/flysql/internal/fleet"
)

// volumesJSON is what flysql volumes plan and apply print with --json. docs/volumes.md
// documents it; it only ever grows.
type volumesJSON struct {
	App      string               `json:"app"`
	Plan     string               `json:"plan"`    // its name, for apply --plan
	Pending  bool                 `json:"pending"` // it does something
	Volumes  []plannedVolumeJSON  `json:"volumes"`
	Machines []plannedMachineJSON `json:"machines"` // to be updated and restarted
	Notes    []string             `json:"notes"`
	Cost     volumesCostJSON      `json:"cost"`
	Result   *volumesResultJSON   `json:"result"` // of apply; null where nothing was tried
}

type plannedVolumeJSON struct {
	Action  string             `json:"action"` // create, change, keep
	ID      string             `json:"id"`     // empty: to be made
	Name    string             `json:"name"`
	Region  string             `json:"region"`
	Zone    string             `json:"zone"`
	Group   string             `json:"group"`   // that it is for; empty: none
	Machine string             `json:"machine"` // that it is attached to; empty: none
	Spare   bool               `json:"spare"`
	Now     *volumeSettingJSON `json:"now"` // null: to be made
	Then    volumeSettingJSON  `json:"then"`
	Unique  bool               `json:"unique_zone"` // made in a zone without another of its name
	Remarks []string           `json:"remarks"`
}

type volumeSettingJSON struct {
	SizeGB    int   `json:"size_gb"`
	Retention int   `json:"snapshot_retention"`  // days; 0: Fly's default
	Scheduled *bool `json:"scheduled_snapshots"` // null: Fly's default
}

type plannedMachineJSON struct {
	ID     string         `json:"id"`
	Region string         `json:"region"`
	Group  string         `json:"group"`
	Now    autoExtendJSON `json:"now"`
	Then   autoExtendJSON `json:"then"`
}

type autoExtendJSON struct {
	ThresholdPercent int `json:"threshold_percent"` // 0: never
	IncrementGB      int `json:"increment_gb"`
	LimitGB          int `json:"limit_gb"`
}

type volumesCostJSON struct {
	Currency string `json:"currency"`
	Now      int64  `json:"now_cents"` // a month
	Then     int64  `json:"then_cents"`
	From     string `json:"prices_since"` // a date
}

type volumesResultJSON struct {
	Made    []string `json:"made"`
	Changed []string `json:"changed"`
	Removed []string `json:"removed"` // made, too many, and deleted again
	Restart []string `json:"restart"` // machines that see a new size after a restart
	Extra   []string `json:"extra"`   // free volumes that no machine needs
	Left    int      `json:"left"`    // changes that were not made

	Restarted []string `json:"restarted"` // machines that have another auto-extend now
}

func writeVolumesJSON(w io.Writer, plan *fleet.VolumePlan, result *fleet.VolumeResult) error {
	now, then := plan.Cost()
	out := volumesJSON{
		App: plan.App, Plan: plan.ID(), Pending: plan.Pending(), Volumes: []plannedVolumeJSON{}, Machines: []plannedMachineJSON{}, Notes: append([]string{}, plan.Notes...),
		Cost: volumesCostJSON{Currency: "USD", Now: int64(now), Then: int64(then), From: fleet.PricesNow().From},
	}
	for i := range plan.Volumes {
		v := &plan.Volumes[i]
		one := plannedVolumeJSON{Action: "keep", ID: v.ID, Name: v.Name, Region: v.Region, Zone: v.Zone, Group: v.Group, Machine: v.Machine,
			Spare: v.Spare, Then: volumeSettingJSON(v.Then), Unique: v.UniqueZone, Remarks: append([]string{}, v.Remarks...)}
		if v.Exists() {
			settings := volumeSettingJSON(v.Now)
			one.Now = &settings
		}
		switch {
		case !v.Exists():
			one.Action = "create"
		case v.Changed():
			one.Action = "change"
		}
		out.Volumes = append(out.Volumes, one)
	}
	for _, m := range plan.Machines {
		out.Machines = append(out.Machines, plannedMachineJSON{m.ID, m.Region, m.Group, autoExtendJSON(m.Now), autoExtendJSON(m.Then)})
	}
	if result != nil {
		all := func(list []string) []string { return append([]string{}, list...) }
		out.Result = &volumesResultJSON{Made: all(result.Made), Changed: all(result.Changed), Removed: all(result.Removed),
			Restart: all(result.Restart), Extra: all(result.Extra), Left: result.Left, Restarted: all(result.Restarted)}
	}
	return encodeJSON(w, out)
}
