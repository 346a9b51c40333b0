package fleet_test

import (
	"context"
	"fmt"

	fly "github.com/superfly/fly-go"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/fleet"
	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
)

func Example() {
	fake := fakefly.New() // stands for Fly
	defer fake.Close()
	fake.AddApp("shop", "personal")
	fake.AddVolume("shop", fly.Volume{Name: "data", Region: "ams", SizeGb: 1})

	config, err := flyconf.Parse("fly.toml", []byte("app = 'shop'\nprimary_region = 'ams'\n[[mounts]]\nsource = 'data'\ndestination = '/data'\nsnapshot_retention = 14\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := flyapi.New(flyapi.Config{Token: flyapi.NewToken("test", fakefly.Token), App: config.App, BaseURL: fake.URL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	plan, err := fleet.SurveyVolumes(ctx, client, config, fleet.VolumeWish{Regions: []string{"syd"}, Replicated: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range plan.Volumes {
		fmt.Println(v.Name, v.Region, v.Exists(), v.Then.Differs(v.Now))
	}
	now, then := plan.Cost()
	fmt.Println(now, then)
	result, err := plan.Apply(ctx, client, fleet.Applying{})
	fmt.Println(len(result.Made), len(result.Changed), result.Left, err)
	// Output:
	// data ams true snapshot_retention 5 -> 14
	// data syd false 0 GB -> 1 GB, snapshot_retention 0 -> 14
	// $0.15 $0.30
	// 1 1 0 <nil>
}
