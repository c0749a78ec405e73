package webhooks_test

import (
	"testing"

	"github.com/feira-dev/feira/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
