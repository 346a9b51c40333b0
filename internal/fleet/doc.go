// Package fleet is what runs on Fly against what fly.toml says: one app's machines,
// volumes, snapshots and secrets, surveyed in the fewest calls, and what is to be done
// about them, planned and carried out.
//
//	f, err := fleet.Survey(ctx, client, fleet.Volumes|fleet.Machines)
//	...
//	plan, err := fleet.PlanVolumes(config, f, fleet.VolumeWish{Regions: []string{"ams", "syd"}, Replicated: true})
//	...
//	result, err := plan.Apply(ctx, client, fleet.Applying{})
//
// It prints nothing and asks nobody: that is for commands.
package fleet
