package dev

// NoFUSE says what keeps LiteFS from mounting on this machine, and how to mend it; "" for
// nothing.
func NoFUSE() string { return noFUSE() }
