package natsd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
)

// ClusterParams describe a cluster whose nodes all live in this process.
type ClusterParams struct {
	// Nodes is how many servers there are. Defaults to 3.
	Nodes int
	// Dir holds a folder for each node.
	Dir string
	// SyncAlways, Users and NoAuthUser are those of [Config], for every node.
	SyncAlways bool
	Users      []User
	NoAuthUser string
	// Logger is that of [Config]. Defaults to nobody.
	Logger *slog.Logger
}

// Cluster is several servers in one process, joined as a JetStream cluster on
// loopback addresses. It shows what a cluster does; it protects nothing from
// the loss of the machine. It is for one goroutine at a time.
type Cluster struct {
	configs []Config
	nodes   []*Server // nil where the node is down
}

// NewCluster returns a cluster that is down.
func NewCluster(params ClusterParams) (*Cluster, error) {
	if params.Nodes == 0 {
		params.Nodes = 3
	}
	if params.Dir == "" {
		return nil, fmt.Errorf("%w: cluster: dir is empty", ErrConfig)
	}
	ports, err := freePorts(2 * params.Nodes)
	if err != nil {
		return nil, err
	}
	client, routes := ports[:params.Nodes], ports[params.Nodes:]
	peers := make([]string, params.Nodes)
	for i, port := range routes {
		peers[i] = net.JoinHostPort(DefaultHost, strconv.Itoa(port))
	}
	c := &Cluster{nodes: make([]*Server, params.Nodes)}
	secret := rand.Text()
	for i := range params.Nodes {
		name := "feira-" + strconv.Itoa(i)
		config := Config{
			Name: name, Dir: filepath.Join(params.Dir, name), Port: client[i],
			SyncAlways: params.SyncAlways, Users: params.Users, NoAuthUser: params.NoAuthUser, Logger: params.Logger,
			Cluster: &ClusterConfig{Name: "feira", Port: routes[i], Peers: peers, User: "route", Password: secret},
		}
		if err := config.Validate(); err != nil {
			return nil, err
		}
		c.configs = append(c.configs, config)
	}
	return c, nil
}

// freePorts finds ports that are free now. Another process may take one before
// it is used; the node that wanted it then cannot start and says so.
func freePorts(n int) (ports []int, err error) {
	listeners := make([]net.Listener, 0, n)
	defer func() {
		for _, listener := range listeners {
			err = errors.Join(err, listener.Close())
		}
	}()
	for range n {
		listener, err := net.Listen("tcp", net.JoinHostPort(DefaultHost, "0")) //nolint:noctx // It is closed before we return.
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		listeners = append(listeners, listener)
		address, ok := listener.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("finding a free port: %s is no TCP address", listener.Addr())
		}
		ports = append(ports, address.Port)
	}
	return ports, nil
}

// Start starts every node that is down and returns when the cluster is healthy.
func (c *Cluster) Start(ctx context.Context) error {
	for i := range c.nodes {
		if err := c.start(ctx, i); err != nil {
			return err
		}
	}
	return c.WaitHealthy(ctx)
}

// Stop stops every node that is up.
func (c *Cluster) Stop(ctx context.Context) error {
	stops := errgroup.Group{}
	for i := range c.nodes {
		stops.Go(func() error { return c.StopNode(ctx, i) })
	}
	return stops.Wait()
}

// StartNode starts one node again, with its old name, ports and data, and
// returns when the cluster is healthy.
func (c *Cluster) StartNode(ctx context.Context, i int) error {
	if err := c.start(ctx, i); err != nil {
		return err
	}
	return c.WaitHealthy(ctx)
}

func (c *Cluster) start(ctx context.Context, i int) error {
	if c.nodes[i] != nil {
		return nil
	}
	node, err := New(c.configs[i])
	if err != nil {
		return err
	}
	// A node lives until it is stopped, not until its starter's context ends.
	if err := node.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("starting node %d: %w", i, err)
	}
	c.nodes[i] = node
	return nil
}

// StopNode stops one node; its clients go to the others.
func (c *Cluster) StopNode(ctx context.Context, i int) error {
	node := c.nodes[i]
	if node == nil {
		return nil
	}
	c.nodes[i] = nil
	if err := node.Stop(ctx); err != nil {
		return fmt.Errorf("stopping node %d: %w", i, err)
	}
	return nil
}

// ClientURL lists where clients connect, on any node, up or down, so that a
// client survives the loss of the node that it is connected to.
func (c *Cluster) ClientURL() string {
	urls := make([]string, len(c.configs))
	for i, config := range c.configs {
		urls[i] = "nats://" + net.JoinHostPort(DefaultHost, strconv.Itoa(config.Port))
	}
	return strings.Join(urls, ",")
}

// Node is the index of the node with this name, as stream and consumer
// information gives it; -1 when there is none.
func (c *Cluster) Node(name string) int {
	for i, config := range c.configs {
		if config.Name == name {
			return i
		}
	}
	return -1
}
