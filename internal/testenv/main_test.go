package testenv_test

import (
	"testing"
	"time"

	"github.com/feira-dev/feira/internal/testenv"
)

const (
	testPatience = 20 * time.Second
	testPoll     = 20 * time.Millisecond
)

func TestMain(m *testing.M) { testenv.Main(m) }
