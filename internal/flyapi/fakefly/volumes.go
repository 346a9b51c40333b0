package fakefly

import (
	"net/http"
	"regexp"
	"slices"
	"time"

	fly "github.com/superfly/fly-go"
)

// volume is a volume and what fly-go's type has no field for.
type volume struct {
	fly.Volume
	snapshots []*fly.VolumeSnapshot
	hidden    int // in so many lists more it is missing
}

// gone are those that a list shows no more.
func (v *volume) gone() bool { return v.State == "destroyed" }

// shown is a volume as the API shows it.
type shown struct {
	fly.Volume
	Fstype      string `json:"fstype"`
	Blocks      int    `json:"blocks"`
	BlockSize   int    `json:"block_size"`
	BlocksFree  int    `json:"blocks_free"`
	BlocksAvail int    `json:"blocks_avail"`
}

func (f *Fake) show(v *volume) shown {
	const blockSize = 4096
	s := shown{Volume: v.Volume, Fstype: "ext4", BlockSize: blockSize}
	s.Blocks = v.SizeGb << 30 / blockSize
	s.BlocksFree, s.BlocksAvail = s.Blocks, s.Blocks*95/100
	s.HostStatus = f.hostStatus(v.Zone)
	return s
}

func (f *Fake) hostStatus(zone string) string {
	if f.hostDown(zone) {
		return string(fly.HostStatusUnreachable)
	}
	return string(fly.HostStatusOk)
}

// AddVolume makes a volume of an app: with what of v is set, and with Fly's defaults for
// the rest. It returns what the API shows of it.
func (f *Fake) AddVolume(appName string, v fly.Volume) fly.Volume {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.show(f.newVolume(f.mustApp(appName), v)).Volume
}

func (f *Fake) newVolume(a *app, v fly.Volume) *volume {
	r := f.mustRegion(v.Region)
	if v.ID == "" {
		v.ID = f.id("volume")
	}
	if v.Zone == "" {
		v.Zone = r.hosts[len(a.volumes)%len(r.hosts)].zone
	}
	if v.State == "" {
		v.State = "created"
	}
	if v.SizeGb == 0 {
		v.SizeGb = 3
	}
	if v.SnapshotRetention == 0 {
		v.SnapshotRetention, v.AutoBackupEnabled = 5, true
	}
	if v.CreatedAt.IsZero() {
		v.CreatedAt = f.tick()
	}
	v.Encrypted = true
	made := &volume{Volume: v}
	a.volumes = append(a.volumes, made)
	return made
}

// AddSnapshot makes a snapshot of a volume, by its id, taken some time ago.
func (f *Fake) AddSnapshot(volumeID, status string, ago time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.apps {
		if v := a.volume(volumeID); v != nil {
			f.snapshot(v, status, f.now.Add(-ago))
			return
		}
	}
	panic("fakefly: no volume " + volumeID)
}

// AppVolumes are an app's volumes as they are, whatever lists show.
func (f *Fake) AppVolumes(appName string) []fly.Volume {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []fly.Volume
	for _, v := range f.mustApp(appName).volumes {
		if !v.gone() {
			out = append(out, copyOf(f.show(v).Volume))
		}
	}
	return out
}

func (a *app) volume(id string) *volume {
	i := slices.IndexFunc(a.volumes, func(v *volume) bool { return v.ID == id })
	if i < 0 {
		return nil
	}
	return a.volumes[i]
}

// volume is the one that a request names.
func (f *Fake) volume(r *request) (*app, *volume, answer) {
	a, no := f.app(r)
	if a == nil {
		return nil, nil, no
	}
	v := a.volume(r.args[1])
	if v == nil || v.gone() {
		return nil, nil, refuse(http.StatusNotFound, "volume not found")
	}
	return a, v, answer{}
}

func (f *Fake) listVolumes(r *request) answer {
	a, no := f.app(r)
	if a == nil {
		return no
	}
	list := []shown{}
	for _, v := range a.volumes {
		switch {
		case v.hidden > 0:
			v.hidden--
		case !v.gone():
			list = append(list, f.show(v))
		}
	}
	return ok(list)
}

func (f *Fake) showVolume(r *request) answer {
	_, v, no := f.volume(r)
	if v == nil {
		return no
	}
	return ok(f.show(v))
}

var volumeName = regexp.MustCompile(`^[a-z0-9_]{1,30}$`)

func (f *Fake) createVolume(r *request) answer {
	a, no := f.app(r)
	if a == nil {
		return no
	}
	var in fly.CreateVolumeRequest
	if no, ok := r.read(&in); !ok {
		return no
	}
	region := f.region(in.Region)
	switch {
	case region == nil:
		return refuse(http.StatusUnprocessableEntity, "region %s not found", in.Region)
	case !volumeName.MatchString(in.Name):
		return refuse(http.StatusUnprocessableEntity, "name is invalid: lowercase letters, numbers and underscores, at most 30")
	case in.SizeGb != nil && (*in.SizeGb < 1 || *in.SizeGb > 500):
		return refuse(http.StatusUnprocessableEntity, "size_gb must be between 1 and 500")
	case in.SnapshotRetention != nil && (*in.SnapshotRetention < 1 || *in.SnapshotRetention > 60):
		return refuse(http.StatusUnprocessableEntity, "snapshot_retention must be between 1 and 60")
	}
	unique := in.RequireUniqueZone == nil || *in.RequireUniqueZone
	host, no := f.place(region, a, in.Name, unique, unique && in.UniqueZoneAppWide != nil && *in.UniqueZoneAppWide)
	if host == nil {
		return no
	}
	v := f.newVolume(a, fly.Volume{Name: in.Name, Region: in.Region, Zone: host.zone, SizeGb: orZero(in.SizeGb), SnapshotRetention: orZero(in.SnapshotRetention)})
	v.AutoBackupEnabled = in.AutoBackupEnabled == nil || *in.AutoBackupEnabled
	v.hidden = f.eventual
	return ok(f.show(v))
}

func orZero(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

func (f *Fake) updateVolume(r *request) answer {
	_, v, no := f.volume(r)
	if v == nil {
		return no
	}
	var in fly.UpdateVolumeRequest
	if no, ok := r.read(&in); !ok {
		return no
	}
	if in.SnapshotRetention != nil {
		if *in.SnapshotRetention < 1 || *in.SnapshotRetention > 60 {
			return refuse(http.StatusBadRequest, "snapshot_retention must be between 1 and 60")
		}
		v.SnapshotRetention = *in.SnapshotRetention
	}
	if in.AutoBackupEnabled != nil {
		v.AutoBackupEnabled = *in.AutoBackupEnabled
	}
	return ok(f.show(v))
}

func (f *Fake) extendVolume(r *request) answer {
	_, v, no := f.volume(r)
	if v == nil {
		return no
	}
	var in struct {
		SizeGB int `json:"size_gb"`
	}
	if no, ok := r.read(&in); !ok {
		return no
	}
	switch {
	case in.SizeGB < v.SizeGb:
		return refuse(http.StatusUnprocessableEntity, "volumes can only be extended: it has %d GB", v.SizeGb)
	case in.SizeGB > 500:
		return refuse(http.StatusUnprocessableEntity, "size_gb must be at most 500")
	case f.hostDown(v.Zone):
		return refuse(http.StatusPreconditionFailed, "failed_precondition: the volume's host is unreachable")
	}
	v.SizeGb = in.SizeGB
	return ok(map[string]any{"volume": f.show(v), "needs_restart": v.AttachedMachine != nil})
}

func (f *Fake) deleteVolume(r *request) answer {
	_, v, no := f.volume(r)
	if v == nil {
		return no
	}
	if v.AttachedMachine != nil {
		return refuse(http.StatusPreconditionFailed, "failed_precondition: volume %s is attached to machine %s", v.ID, *v.AttachedMachine)
	}
	v.State = "destroyed"
	return ok(f.show(v))
}

func (f *Fake) snapshot(v *volume, status string, at time.Time) {
	retention := v.SnapshotRetention
	v.snapshots = append(v.snapshots, &fly.VolumeSnapshot{ID: f.id("snapshot"), Status: status, CreatedAt: at,
		Size: v.SizeGb << 20, VolumeSize: v.SizeGb << 30, Digest: f.id("digest"), RetentionDays: &retention})
}

// listSnapshots shows them, after which those that wait are taken.
func (f *Fake) listSnapshots(r *request) answer {
	_, v, no := f.volume(r)
	if v == nil {
		return no
	}
	list := []fly.VolumeSnapshot{}
	for _, s := range v.snapshots {
		list = append(list, *s)
		if s.Status == "waiting" {
			s.Status = "created"
		}
	}
	return ok(list)
}

func (f *Fake) createSnapshot(r *request) answer {
	_, v, no := f.volume(r)
	if v == nil {
		return no
	}
	if f.hostDown(v.Zone) {
		return refuse(http.StatusPreconditionFailed, "failed_precondition: the volume's host is unreachable")
	}
	f.snapshot(v, "waiting", f.tick())
	return answer{status: http.StatusOK}
}
