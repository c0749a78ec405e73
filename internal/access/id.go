package access

import (
	"fmt"
	"io"
	"regexp"
)

// ID names a key, for people and for revoking it. It tells nothing of the key.
type ID string

const (
	idHead   = "key_"
	idDigits = 20
)

var idForm = regexp.MustCompile(`^key_[A-Za-z0-9]{20}$`)

// ParseID returns the key that text names, or [ErrInvalid]. The text is not
// repeated: a full key may have been given by mistake.
func ParseID(text string) (ID, error) {
	if !idForm.MatchString(text) {
		return "", fmt.Errorf("%w: id is not %s and %d letters or digits", ErrInvalid, idHead, idDigits)
	}
	return ID(text), nil
}

func newID(random io.Reader) (ID, error) {
	digits, err := draw(random, idDigits)
	return ID(idHead + digits), err
}

// Project is a compartment of the platform, as CodeSpar has them: "prj_" and
// sixteen letters or digits.
type Project string

var projectForm = regexp.MustCompile(`^prj_[A-Za-z0-9]{16}$`)

// ParseProject returns the project that text names, or [ErrInvalid].
func ParseProject(text string) (Project, error) {
	if !projectForm.MatchString(text) {
		return "", fmt.Errorf("%w: project is %q, want prj_ and 16 letters or digits", ErrInvalid, clip(text))
	}
	return Project(text), nil
}
