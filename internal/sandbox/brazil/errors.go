package brazil

import "errors"

// ErrMalformed occurs when a text is not what its kind asks for.
var ErrMalformed = errors.New("malformed")
