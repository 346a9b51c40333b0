package doctor

// fileRules are about files as such; flyconf reports most of them.
var fileRules = []Rule{
	{
		ID: "FLY001", Severity: Error,
		Title: "a file cannot be read",
		Why:   "Nothing that stands in it has any effect, and Fly refuses the deploy.",
		check: checkLitestream,
	},
	{
		ID: "FLY002", Severity: Error,
		Title: "a value has a type that cannot be loaded",
		Why:   "flyctl, or LiteFS, stops at it.",
	},
	{
		ID: "FLY003", Severity: Warning,
		Title: "a key that nobody knows",
		Why:   "It is ignored without a word: what it was meant to set stays as it is.",
	},
	{
		ID: "FLY004", Severity: Error,
		Title: "a value that is refused",
		Why:   "Fly, Docker or LiteFS refuses it, or does something else than it says.",
	},
	{
		ID: "FLY005", Severity: Warning,
		Title: "a value without effect",
		Why:   "It works, and does nothing or something else than it says.",
	},
	{
		ID: "FLY006", Severity: Warning,
		Title: "an ignore comment that ignores nothing",
		Why:   "A comment that does nothing hides that the finding is gone, or still there.",
	},
	{
		ID: "FLY007", Severity: Warning,
		Title: "go.mod has no go line",
		Why:   "flyctl panics on it when it looks at the app, and the Go command assumes Go 1.16.",
		check: checkGoLine,
	},
}
