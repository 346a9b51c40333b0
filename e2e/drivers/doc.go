// Package drivers shows of each common driver of SQLite that package replay knows what
// a write on a replica comes to there, without importing it, and takes nothing else for
// that. Each driver has a package of its own below: two of them register one name.
package drivers
