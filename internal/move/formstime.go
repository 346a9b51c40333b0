package move

import (
	"fmt"

	"github.com/flysql/flysql/internal/move/convert"
	"github.com/flysql/flysql/internal/move/pgexpr"
)

// The shapes of times as text; a special value that is kept has none.
const (
	dateShape = "%[1]s GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'"
	timeShape = "%[1]s GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'"

	// One moment has one text, and no other: that of package appdb ends its fraction in no
	// zero, and the fixed one has six digits.
	appdbShape = "%[1]s GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]*+00:00' AND %[1]s NOT GLOB '*.*0+00:00'"
	fixedShape = "%[1]s GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9][0-9][0-9][0-9]+00:00'"
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
	return []Form{shaped("text", "DATE", dateShape, convert.Date(special), "text", special,
		warning("date-text", "a date is text without a time: a time.Time, which package appdb writes with one, is equal to no date, and the column's check refuses it: the app formats it as 2006-01-02"))}, pgexpr.Date
}

// timestampForms has first what package appdb writes a time.Time as: then what has been
// imported and what an app writes later compare, and sort, as one.
func timestampForms(t *Type, special convert.Special) ([]Form, pgexpr.Type) {
	return rounded(t,
		shaped("appdb", "DATETIME", appdbShape, convert.TimestampAppDB(false, special), "appdb", special,
			note("time-appdb", "a time without a zone is written as package appdb writes a time.Time: as if it were in UTC")),
		shaped("text", "TIMESTAMP", timeShape, convert.Timestamp(special), "text", special,
			note("time-text", "a time is text without a zone: package appdb writes a time.Time with one, and the two do not compare")),
		micros(convert.TimestampMicros(false, special)),
	), pgexpr.Timestamp
}

func timestamptzForms(t *Type, special convert.Special) ([]Form, pgexpr.Type) {
	return rounded(t,
		shaped("appdb", "DATETIME", appdbShape, convert.TimestampAppDB(true, special), "appdb", special),
		shaped("text", "DATETIME", fixedShape, convert.TimestampTZ(special), "fixed", special,
			note("time-text", "a time has six digits after the point, which a time.Time that package appdb writes has not: the app formats it itself")),
		micros(convert.TimestampMicros(true, special)),
	), pgexpr.TimestampTZ
}

// rounded are forms of a type such as timestamp(0), which rounds what is written.
func rounded(t *Type, forms ...Form) []Form {
	if t.Mod < 0 || t.Mod > 5 {
		return forms
	}
	for i := range forms {
		forms[i].Storage.Limited, forms[i].Storage.Scale = true, int(t.Mod)
		forms[i].Losses = append(forms[i].Losses, note("time-rounded", fmt.Sprintf("PostgreSQL rounds a time to %d digits of a second; SQLite keeps what is written", t.Mod)))
	}
	return forms
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
