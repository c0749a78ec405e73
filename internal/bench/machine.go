package bench

import "runtime"

// Machine is what a figure is a figure of.
type Machine struct {
	Cores  int    `json:"cores"`
	System string `json:"system"`
	Go     string `json:"go_version"`
	// Server is the version of the NATS server.
	Server string `json:"nats_server_version"`
}

func thisMachine() Machine {
	return Machine{Cores: runtime.GOMAXPROCS(0), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
}
