// Package scaffold is the work of `flysql init`: it looks at a Go app's
// repository, plans the files that put the app on Fly.io, compares them with what
// is there, and writes all of them or none.
//
//	facts, err := scaffold.Detect(dir)
//	answers, err := facts.Complete(scaffold.Answers{Region: "ord", SizeGB: 1})
//	plan, err := facts.Plan(answers, scaffold.Flysql{Source: flysql.Source()})
//	changes, err := plan.Compare()
//	err = changes.Apply(ctx)
//
// Only Apply changes anything. No step reads a clock, the network or the
// environment: the same repository and answers give the same files.
//
// The package neither prompts nor prints; cmd/flysql does.
package scaffold
