package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-gateway/sluice/gateway"
)

// Whatever a test file says, it is read and played without a panic.
func FuzzTests(f *testing.F) {
	archive, err := txtar.ParseFile("testdata/script/test.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archive.Files {
		if isTest(file.Name) {
			f.Add(string(file.Data))
		}
	}
	f.Add(`test "a" {
  destination = function.shop["x"]["y"]
  request {
    url     = "%"
    headers = [1]
    claims  = 1
    body    = jsondecode("{")
  }
  answer { body = 1 }
  expect {
    route = route[0]
    sent { query = 1 }
    response {
      headers = null
      body    = file("../x")
    }
  }
}
`)
	t, err := translator()
	if err != nil {
		f.Fatal(err)
	}
	ws := workspaceOf([]file{{"shop.hcl", fileOf(archive, "docs/shop.hcl")}}, gateway.New(rules(t, nil)), schema(), os.LookupEnv)
	ws.find(".", true)
	off := &offline{workspace: ws, translator: t}
	f.Fuzz(func(_ *testing.T, text string) {
		tests, diags := parseTests(file{"a.test.hcl", []byte(text)})
		if diags.HasErrors() {
			return
		}
		for _, b := range tests {
			(&testRun{offline: off, t: b}).run()
		}
	})
}
