package handover

// OnReached has f called when Give has come to a step.
func (n *Node) OnReached(f func(step string)) { n.reached = f }
