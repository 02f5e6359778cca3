// Command image writes the OCI image of sluice as a tarball in the OCI layout, for several processors, without an engine
// and without a base image. Equal binaries and an equal $SOURCE_DATE_EPOCH give equal bytes.
//
//	image -o sluice-image.tar -version v1.2.3 amd64=dist/sluice-amd64 arm64=dist/sluice-arm64
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func main() {
	out := flag.String("o", "sluice-image.tar", "`FILE` to write")
	version := flag.String("version", "dev", "of sluice")
	revision := flag.String("revision", "", "the commit that sluice was built from")
	flag.Parse()
	if err := run(*out, *version, *revision, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "Error: "+err.Error())
		os.Exit(1)
	}
}

func run(out, version, revision string, binaries []string) error {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("read the time of the sources, $SOURCE_DATE_EPOCH: %w", err)
	}
	about := build{made: time.Unix(seconds, 0).UTC(), version: version, revision: revision}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	slices.Sort(binaries)
	if len(binaries) == 0 {
		return fmt.Errorf("no binary is named: write ARCH=FILE")
	}
	for _, b := range binaries {
		arch, path, ok := strings.Cut(b, "=")
		if !ok {
			return fmt.Errorf("%q is not ARCH=FILE", b)
		}
		img, err := about.image(arch, path)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	index = mutate.Annotations(index, about.labels()).(v1.ImageIndex)
	digest, err := index.Digest()
	if err != nil {
		return fmt.Errorf("digest the index: %w", err)
	}
	if err := writeLayout(out, index, version, about.made); err != nil {
		return err
	}
	fmt.Println(digest)
	return nil
}
