// Package canary looks for secrets where none may be.
//
// It owns the forms in which a secret may come to light (as it is, escaped for
// a URL, for JSON or HTML, in hex, in base64 at any offset and in either
// alphabet), a scanner of files and folders for many secrets at once, and two
// uses of it. TestNoSecretComesToLight runs the real roles as processes, with
// a secret of its own in every field of every credential, through all tools,
// turns and faults that echo what they were sent, and scans all that they
// leave. With the build tag "canary", TestTheSuiteLeavesNoSecret scans what the
// whole test suite has left in the folder that FEIRA_TEST_ARTIFACTS names.
//
// A find names the secret, the form and the place, never the value. It is for
// tests alone.
package canary
