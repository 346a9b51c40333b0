package main

import "github.com/flysql/flysql/internal/testkit"

func stopPostgres() { testkit.StopPostgres() }
