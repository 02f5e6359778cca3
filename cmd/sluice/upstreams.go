package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/console"
)

func (a *app) upstreamsCommand() *cobra.Command {
	c := &cobra.Command{Use: "upstreams [NAME]", Short: "The upstreams and their endpoints", Args: cobra.MaximumNArgs(1)}
	return look(a, c, func(args []string) string {
		if len(args) == 0 {
			return "/v1/upstreams"
		}
		return "/v1/upstreams?name=" + url.QueryEscape(args[0])
	}, a.showUpstreams)
}

func (a *app) showUpstreams(list []console.Upstream) {
	rows := [][]string{{"UPSTREAM", "ENDPOINT", "HEALTH", "WEIGHT", "PRIORITY", "WHERE", "SOURCE", "ANSWERED"}}
	for _, u := range list {
		name := u.Name
		if u.Held {
			name += " (held)"
		}
		if len(u.Endpoints) == 0 {
			none := "none"
			if u.Lambda {
				none = "Lambdas"
			}
			rows = append(rows, []string{name, none, "", "", "", "", shortSources(u.Sources), ""})
		}
		for _, e := range u.Endpoints {
			where := strings.Trim(e.Region+"/"+e.Zone+"/"+e.SubZone, "/")
			rows = append(rows, []string{name, e.Address, e.Health, fmt.Sprint(e.Weight), fmt.Sprint(e.Priority), where, shortSource(e.Source), ago(e.Age)})
		}
	}
	a.table(rows, "No such upstream is in force.")
}

func shortSources(keys []string) string {
	short := make([]string, len(keys))
	for i, k := range keys {
		short[i] = shortSource(k)
	}
	return strings.Join(short, " ")
}
