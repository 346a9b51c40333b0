//go:build !linux

package main

// stopPostgres does nothing: no test uses one here.
func stopPostgres() {}
