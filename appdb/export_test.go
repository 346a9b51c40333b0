package appdb

import (
	"database/sql/driver"
	"time"
)

// CheckOrphan is the second look at a database that seemed to be missing.
var CheckOrphan = checkOrphan

// NewConnector returns the writer's connector over another driver.
func NewConnector(wrap func(driver.Driver) driver.Driver, path string, timeout time.Duration) (driver.Connector, error) {
	drv, err := sqliteDriver()
	if err != nil {
		return nil, err
	}
	return newConnector(wrap(drv), newTarget(path), timeout, roleWriter, nil), nil
}

// Faults is how often a connection of db has met a fault in shared memory.
func Faults(db *DB) int64 { return db.node.faults.Load() }

// Renewing reports whether connections of db are about to be given up after a fault.
func Renewing(db *DB) bool { return db.node.renewals.Load() != 0 }
