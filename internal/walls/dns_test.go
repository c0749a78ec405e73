package walls

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers every name with the addresses that the test gives to the
// n-th question for one of their family, from 0.
type nameServer struct {
	socket net.PacketConn
	answer func(asked int) []netip.Addr
	asked  map[dnsmessage.Type]int
	served atomic.Int32
}

// resolverOf is a resolver that asks such a server alone.
func resolverOf(t *testing.T, answer func(asked int) []netip.Addr) (*net.Resolver, *nameServer) {
	t.Helper()
	socket, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	require.NoError(t, err)
	serving := &nameServer{socket: socket, answer: answer, asked: map[dnsmessage.Type]int{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		serving.serve()
	}()
	t.Cleanup(func() {
		_ = socket.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp4", socket.LocalAddr().String())
	}}, serving
}

func (s *nameServer) serve() {
	packet := make([]byte, 1500)
	for {
		size, from, err := s.socket.ReadFrom(packet)
		if err != nil {
			return
		}
		if reply, ok := s.reply(packet[:size]); ok {
			_, _ = s.socket.WriteTo(reply, from)
		}
	}
}

func (s *nameServer) reply(packet []byte) ([]byte, bool) {
	var question dnsmessage.Message
	if question.Unpack(packet) != nil || len(question.Questions) != 1 {
		return nil, false
	}
	about := question.Questions[0]
	answer := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: question.ID, Response: true, RecursionAvailable: true},
		Questions: question.Questions,
	}
	for _, address := range s.answer(s.asked[about.Type]) {
		header := dnsmessage.ResourceHeader{Name: about.Name, Type: about.Type, Class: dnsmessage.ClassINET}
		switch {
		case about.Type == dnsmessage.TypeA && address.Is4():
			answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: address.As4()}})
		case about.Type == dnsmessage.TypeAAAA && address.Is6():
			answer.Answers = append(answer.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: address.As16()}})
		}
	}
	s.asked[about.Type]++
	s.served.Add(1)
	reply, err := answer.Pack()
	return reply, err == nil
}
