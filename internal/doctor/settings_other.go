//go:build !unix

package doctor

// flysql-entrypoint is for Linux, and does not build here: its settings are not judged.

func settingNames() []string { return nil }

func outputNames() []string { return nil }

func readSettings([]string, []string) (bootSettings, bool) { return bootSettings{}, false }

func refusals([]string) []string { return nil }
