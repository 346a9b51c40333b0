// Package engine is what a web app, its router and its boot ask of whatever copies
// their database to other machines: who is the primary, how far has this machine
// come, wait until it has come as far as this, tell me when the primary changes.
//
//	func writable(e engine.Engine) bool { return e.State().Role == engine.RolePrimary }
//
// It is no engine itself, and draws in nothing: a program that takes an [Engine]
// need not be one that speaks HTTP to LiteFS. Package litefs has the first engine,
// litefs.Node, which is where a program begins.
//
// Beside the interface there are its words ([Role], [State], [Pos]) and the errors
// that any engine answers with.
package engine
