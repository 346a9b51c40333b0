package fleet

import "fmt"

// Cents is money: hundredths of a US dollar.
type Cents int64

// String writes it as $1.05.
func (c Cents) String() string { return fmt.Sprintf("$%d.%02d", c/100, c%100) }

// Prices are Fly's, without tax and without what a plan includes.
type Prices struct {
	From string // since when Fly asks them, a date

	VolumeGB Cents // a month, for each GB of a volume's size, attached or not

	// Snapshots are stored as what changed since the one before. What they store is not
	// known beforehand, so no sum of this package has them.
	SnapshotGB     Cents // a month, for each GB stored
	SnapshotFreeGB int   // of an organization, each month
}

// PricesNow are the prices that plans are made with, read in November 2026.
//
// Volumes: https://fly.io/docs/about/pricing/#persistent-storage-volumes. Snapshots: by
// Fly's announcement of October 2025,
// https://community.fly.io/t/we-are-going-to-start-charging-for-volume-snapshots-from-january-2026/26202.
func PricesNow() Prices {
	return Prices{From: "2026-01-01", VolumeGB: 15, SnapshotGB: 8, SnapshotFreeGB: 10}
}
