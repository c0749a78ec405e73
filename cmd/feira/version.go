package main

import (
	"io"
	"runtime"
	"runtime/debug"
)

// release is set by the linker for released binaries.
var release string

// version is the release, or what the build knows of its source.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return "dev-" + setting.Value
		}
	}
	return "dev"
}

// versionCommand is "feira version".
type versionCommand struct{}

func (c *versionCommand) Run(i *invocation) error {
	return i.show(map[string]string{"version": version(), "go": runtime.Version()}, func(w io.Writer) {
		say(w, "feira %s (%s)", version(), runtime.Version())
	})
}
