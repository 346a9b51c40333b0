package flyapi

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
	fly "github.com/superfly/fly-go"
	"github.com/superfly/fly-go/flaps"
)

// App asks for the app. Where there is none of that name, the error names the nearest.
func (c *Client) App(ctx context.Context) (*flaps.App, error) {
	named := func(a *flaps.App) bool { return a.Name != "" }
	return one(ctx, c, &call{name: "App", ofApp: true, doing: "show app " + c.app, read: true}, named, func(ctx context.Context) (*flaps.App, error) {
		return c.flaps.GetApp(ctx, c.app)
	})
}

// Apps lists the apps of an organization, by its slug, sorted by name.
func (c *Client) Apps(ctx context.Context, org string) ([]flaps.App, error) {
	apps, err := get(ctx, c, &call{name: "Apps", object: "apps", doing: "list apps of " + org, read: true}, func(ctx context.Context) ([]flaps.App, error) {
		return c.flaps.ListApps(ctx, flaps.ListAppsRequest{OrgSlug: org})
	})
	slices.SortFunc(apps, func(a, b flaps.App) int { return cmp.Compare(a.Name, b.Name) })
	return apps, err
}

// nearestApp says which app may have been meant. The Machines API lists apps of one
// organization, and does not say which ones a token belongs to.
func (c *Client) nearestApp(ctx context.Context) string {
	const some = 5
	look := "fly apps list shows those there are"
	apps, err := c.Apps(ctx, c.org)
	if err != nil || len(apps) == 0 {
		return look
	}
	var names []string
	for _, app := range apps {
		if name.MatchString(app.Name) {
			names = append(names, app.Name)
		}
	}
	if near := flyconf.Nearest(c.app, names); near != "" {
		return "did you mean " + near + "?"
	}
	if len(names) > some {
		return look
	}
	return "organization " + c.org + " has " + strings.Join(names, ", ")
}

// Regions lists Fly's regions, sorted by code. A region whose Deprecated is set takes
// nothing new.
func (c *Client) Regions(ctx context.Context) ([]fly.Region, error) {
	data, err := get(ctx, c, &call{name: "Regions", object: "platform", doing: "list regions", read: true}, func(ctx context.Context) (*flaps.RegionData, error) {
		return c.flaps.GetRegions(ctx)
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(data.Regions, func(a, b fly.Region) int { return cmp.Compare(a.Code, b.Code) })
	return data.Regions, nil
}

// Secret is what flysql knows of a secret of the app.
type Secret struct {
	Name   string
	Digest string // changes when the value does
}

// Secrets lists the app's secrets, sorted by name. Their values are not asked for.
func (c *Client) Secrets(ctx context.Context) ([]Secret, error) {
	list, err := get(ctx, c, &call{name: "Secrets", ofApp: true, doing: "list secrets of " + c.app, read: true}, func(ctx context.Context) ([]fly.AppSecret, error) {
		return c.flaps.ListAppSecrets(ctx, c.app, nil, false)
	})
	if err != nil {
		return nil, err
	}
	secrets := make([]Secret, len(list))
	for i, s := range list {
		secrets[i] = Secret{Name: s.Name, Digest: s.Digest}
	}
	slices.SortFunc(secrets, func(a, b Secret) int { return cmp.Compare(a.Name, b.Name) })
	return secrets, nil
}
