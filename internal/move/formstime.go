package move

import (
	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// The shapes of times as text; a special value that is kept has none.
const (
	dateShape = "%[1]s GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'"
	timeShape = "%[1]s GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'"
	zoneShape = "%[1]s GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]*+00:00'"
)

// shaped is a form of times as text, by a check that a kept special value would break.
func shaped(name, declared, shape string, conversion *convert.Conversion, storage string, special convert.Special, losses ...Loss) Form {
	f := Form{Name: name, Declared: declared, Check: shape, Conversion: conversion, Storage: pgexpr.Storage{Form: storage, Finite: true}, Losses: losses}
	if special == convert.Keep {
		f.Check, f.Storage.Finite = "", false
	}
	return f
}

func micros(conversion *convert.Conversion) Form {
	return Form{Name: "micros", Declared: "INTEGER", Check: "typeof(%[1]s) IN ('integer', 'null')", Conversion: conversion, Storage: pgexpr.Storage{Form: "micros", Finite: true},
		Losses: []Loss{warning("time-micros", "a time is the number of microseconds since 1970: SQLite's date functions want seconds, and database/sql gives an int64")}}
}

func dateForms(_ *Type, special convert.Special) ([]Form, pgexpr.Type) {
	return []Form{shaped("text", "DATE", dateShape, convert.Date(special), "text", special)}, pgexpr.Date
}

func timestampForms(_ *Type, special convert.Special) ([]Form, pgexpr.Type) {
	return []Form{
		shaped("text", "TIMESTAMP", timeShape, convert.Timestamp(special), "text", special),
		shaped("appdb", "DATETIME", zoneShape, convert.TimestampAppDB(false, special), "appdb", special,
			note("time-appdb", "a time is written as package appdb writes a time.Time, as if it were in UTC")),
		micros(convert.TimestampMicros(false, special)),
	}, pgexpr.Timestamp
}

func timestamptzForms(_ *Type, special convert.Special) ([]Form, pgexpr.Type) {
	return []Form{
		shaped("text", "DATETIME", zoneShape, convert.TimestampTZ(special), "fixed", special),
		shaped("appdb", "DATETIME", zoneShape, convert.TimestampAppDB(true, special), "appdb", special,
			note("time-appdb", "a time is written as package appdb writes a time.Time: digits after the point only where there are any")),
		micros(convert.TimestampMicros(true, special)),
	}, pgexpr.TimestampTZ
}

func timeForms(zoned bool) formsFunc {
	return func(_ *Type, special convert.Special) ([]Form, pgexpr.Type) {
		f := Form{Name: "text", Declared: "TEXT", Conversion: convert.Time(zoned, special), Storage: pgexpr.AsPrinted}
		if zoned {
			f.Losses = []Loss{warning("timetz-text", "times of day with zones compare as text, whatever their zone")}
		}
		return []Form{f}, pgexpr.Other
	}
}

func intervalForms(*Type, convert.Special) ([]Form, pgexpr.Type) {
	return []Form{textForm("text", "interval-text", "an interval is PostgreSQL's text of it: SQLite's date functions take other modifiers, and it does not sort")}, pgexpr.Interval
}
