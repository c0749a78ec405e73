package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The files of exports are read as the role reads them, and every fault names its
// file, and its line or its field; none shows what stands there.
func TestCheckReadsTheFilesOfExports(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	good := put("good.yaml", "sink: openmeter\n")
	code, out, _ := feira(t, "", "config", "check", "--exporter-settings", good)
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "well formed")

	typo := put("typo.yaml", "sink: csv\nname: usage\ndirr: canary-of-a-key\n")
	field := put("field.yaml", "sink: csv\nname: files\ndir: /tmp\nbatch: -7\n")
	keyless := put("keyless.yaml", "sink: lago\nname: lago-eu\n")
	twice := put("twice.yml", "sink: openmeter\n")
	code, out, complaints := feira(t, "", "config", "check", "--exporter-settings", dir)
	require.Equal(t, exitFailed, code)
	require.Empty(t, out)
	require.Contains(t, complaints, typo+": ")
	require.Contains(t, complaints, `[3:1] unknown field "dirr"`)
	require.NotContains(t, complaints, "canary")
	require.Contains(t, complaints, field+": ")
	require.Contains(t, complaints, "batch: -7")
	require.Contains(t, complaints, keyless+": key is missing; set FEIRA_EXPORTER_KEYS's lago-eu=KEY")
	require.Contains(t, complaints, twice+": name: two settings are of one export: openmeter, as in "+good)

	missing := filepath.Join(dir, "missing.yaml")
	_, _, complaints = feira(t, "", "config", "check", "--exporter-settings", missing)
	require.Contains(t, complaints, missing)
	_, _, complaints = feira(t, "", "config", "check", "--exporter-settings", good, "--exporter-keys", "lago=canary")
	require.Contains(t, complaints, `there is a key of export "lago" (FEIRA_EXPORTER_KEYS) and no settings`)
	require.NotContains(t, complaints, "canary")
}
