package bus

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Whoever writes does not wait for the other side, and nothing changes its order.
func TestCorkGathersWrites(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	c := newCorked(near)
	var want bytes.Buffer
	for i := range 1000 {
		text := "message " + strconv.Itoa(i) + "\n"
		want.WriteString(text)
		n, err := c.Write([]byte(text))
		require.NoError(t, err)
		require.Equal(t, len(text), n)
	}
	require.NoError(t, c.Close(), "what is pending goes out first")
	got, err := io.ReadAll(far)
	require.NoError(t, err)
	require.Equal(t, want.String(), string(got))
	_, err = c.Write([]byte("x"))
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestCorkKeepsEachWritersOrder(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	c := newCorked(near)
	const writers, count = 8, 500
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range count {
				_, err := c.Write([]byte{byte(w), byte(i >> 8), byte(i)})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	next := make([]int, writers)
	var record [3]byte
	for range writers * count {
		_, err := io.ReadFull(far, record[:])
		require.NoError(t, err)
		require.Equal(t, next[record[0]], int(record[1])<<8|int(record[2]))
		next[record[0]]++
	}
	writing.Wait()
	require.NoError(t, c.Close())
}

// There is room for so much and no more: a writer then waits until the other
// side has taken something, or is gone.
func TestCorkHasSoMuchRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c := newCorked(near)
		chunk := make([]byte, corkRoom/4)
		_, err := c.Write(chunk[:1]) // is being written, and stands for the call under way
		require.NoError(t, err)
		synctest.Wait()
		for range 5 { // up to the room, at it, and the last one above it
			_, err = c.Write(chunk)
			require.NoError(t, err)
		}
		written := make(chan error, 1)
		go func() {
			_, err := c.Write(chunk)
			written <- err
		}()
		synctest.Wait()
		require.Empty(t, written, "there is no room")
		_, err = io.ReadFull(far, make([]byte, 1))
		require.NoError(t, err)
		require.NoError(t, <-written)
		require.NoError(t, far.Close())
		synctest.Wait()
		_, err = c.Write(chunk)
		require.Error(t, err, "nobody will take it")
		require.NoError(t, c.Close())
	})
}

// A side that takes nothing is given up, at a close soon.
func TestCorkGivesUp(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]time.Duration{"at work": corkPatience, "closing": corkClosing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer func() { _ = far.Close() }()
				c := newCorked(near)
				begun := time.Now()
				_, err := c.Write([]byte("hello"))
				require.NoError(t, err)
				synctest.Wait()
				if name == "closing" {
					require.NoError(t, c.Close())
				}
				_, err = near.Read(make([]byte, 1)) // until the connection is closed
				require.ErrorIs(t, err, io.ErrClosedPipe)
				require.Equal(t, want, time.Since(begun))
				_, err = c.Write([]byte("hello"))
				require.Error(t, err)
			})
		})
	}
}
