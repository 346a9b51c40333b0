//go:build race

package entrypoint

func init() { underRace = true }
