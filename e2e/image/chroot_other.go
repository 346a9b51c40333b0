//go:build !linux

package image

import "errors"

func newBackend(o Options) (backend, error) {
	if o.Way == Mapped {
		return newMapped(o)
	}
	return nil, errors.New("build by chroot: it needs Linux")
}

// NewVolume needs Linux.
func NewVolume(string, int64) error {
	return errors.New("make a volume: it needs Linux")
}

// Usable needs Linux.
func Usable(string) error { return errors.New("Linux is needed") }
