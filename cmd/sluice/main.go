// Command sluice is the control plane of a function gateway, and the tool of those who run it.
//
// One file holds one sub-command, and this package is the only place where things are made and wired together:
// parts.go lists features and sources, plane.go puts a control plane together, server.go and dev.go run it.
package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// version is set when sluice is built for a release.
var version = "dev"

func main() {
	os.Exit(execute(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute runs one command line and returns its exit code.
func execute(args []string, in io.Reader, out, errs io.Writer) int {
	a := &app{in: in, out: out, errs: errs, env: os.Getenv, self: "sluice"}
	if strings.ContainsRune(os.Args[0], filepath.Separator) {
		a.self = os.Args[0]
	}
	root := a.command()
	root.SetArgs(longFlags(args))
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	root.SetContext(context.Background())
	return a.report(root.Execute())
}
