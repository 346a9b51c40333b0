package flyapi

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	fly "github.com/superfly/fly-go"
)

// Volumes lists the app's volumes, oldest first; without those that are being destroyed.
// A volume just made may be missing from it for a while.
func (c *Client) Volumes(ctx context.Context) ([]fly.Volume, error) {
	volumes, err := get(ctx, c, &call{name: "Volumes", ofApp: true, doing: "list volumes of " + c.app, read: true}, func(ctx context.Context) ([]fly.Volume, error) {
		return c.flaps.GetVolumes(ctx, c.app)
	})
	volumes = slices.DeleteFunc(volumes, func(v fly.Volume) bool { return v.State == "destroyed" })
	slices.SortFunc(volumes, func(a, b fly.Volume) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return volumes, err
}

func isVolume(v *fly.Volume) bool { return v.ID != "" }

// Volume asks for one volume.
func (c *Client) Volume(ctx context.Context, id string) (*fly.Volume, error) {
	return one(ctx, c, &call{name: "Volume", object: id, doing: "show volume " + id, read: true}, isVolume, func(ctx context.Context) (*fly.Volume, error) {
		return c.flaps.GetVolume(ctx, c.app, id)
	})
}

// CreateVolume makes a volume. Always give a size: without one it is 3 GB. After
// ErrUnknown it may be there, or come: list.
func (c *Client) CreateVolume(ctx context.Context, in fly.CreateVolumeRequest) (*fly.Volume, error) {
	doing := fmt.Sprintf("create volume %s in %s", in.Name, in.Region)
	return one(ctx, c, &call{name: "CreateVolume", ofApp: true, doing: doing}, isVolume, func(ctx context.Context) (*fly.Volume, error) {
		return c.flaps.CreateVolume(ctx, c.app, in)
	})
}

// UpdateVolume changes a volume's snapshot settings: those fields that are not nil.
func (c *Client) UpdateVolume(ctx context.Context, id string, in fly.UpdateVolumeRequest) (*fly.Volume, error) {
	return one(ctx, c, &call{name: "UpdateVolume", object: id, doing: "update volume " + id}, isVolume, func(ctx context.Context) (*fly.Volume, error) {
		return c.flaps.UpdateVolume(ctx, c.app, id, in)
	})
}

// ExtendVolume makes a volume bigger, and says whether its machine must be restarted to
// see that. Fly makes no volume smaller.
func (c *Client) ExtendVolume(ctx context.Context, id string, sizeGB int) (volume *fly.Volume, restart bool, err error) {
	doing := fmt.Sprintf("extend volume %s to %d GB", id, sizeGB)
	volume, err = one(ctx, c, &call{name: "ExtendVolume", object: id, doing: doing}, isVolume, func(ctx context.Context) (v *fly.Volume, err error) {
		v, restart, err = c.flaps.ExtendVolume(ctx, c.app, id, sizeGB)
		return v, err
	})
	return volume, restart && err == nil, err
}

// DeleteVolume deletes a volume and what is on it.
func (c *Client) DeleteVolume(ctx context.Context, id string) error {
	return c.run(ctx, &call{name: "DeleteVolume", object: id, doing: "delete volume " + id}, func(ctx context.Context) error {
		_, err := c.flaps.DeleteVolume(ctx, c.app, id)
		return err
	})
}

// Snapshots lists a volume's snapshots, newest first. One whose status is not "created"
// holds nothing yet.
func (c *Client) Snapshots(ctx context.Context, volume string) ([]fly.VolumeSnapshot, error) {
	snapshots, err := get(ctx, c, &call{name: "Snapshots", object: volume, doing: "list snapshots of volume " + volume, read: true}, func(ctx context.Context) ([]fly.VolumeSnapshot, error) {
		return c.flaps.GetVolumeSnapshots(ctx, c.app, volume)
	})
	slices.SortFunc(snapshots, func(a, b fly.VolumeSnapshot) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return snapshots, err
}

// CreateSnapshot asks for a snapshot of a volume. It is taken later: see Snapshots.
func (c *Client) CreateSnapshot(ctx context.Context, volume string) error {
	return c.run(ctx, &call{name: "CreateSnapshot", object: volume, doing: "snapshot volume " + volume}, func(ctx context.Context) error {
		return c.flaps.CreateVolumeSnapshot(ctx, c.app, volume)
	})
}
