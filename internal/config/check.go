package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checkURL says what is wrong with an address, never quoting it: an address
// that cannot be read may hold a password in any place.
func checkURL(text string, schemes ...string) error {
	address, err := url.Parse(text)
	if err != nil {
		return errors.New("is not a URL")
	}
	if !slices.Contains(schemes, address.Scheme) {
		return fmt.Errorf("has another scheme than %s", strings.Join(schemes, ", "))
	}
	if address.Hostname() == "" {
		return errors.New("has no host")
	}
	if address.User != nil {
		return errors.New("holds a user or a password, which would be logged; set them on their own")
	}
	if address.RawQuery != "" || address.Fragment != "" {
		return errors.New("holds a query or a fragment")
	}
	return nil
}

func checkAddress(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return fmt.Errorf("is %q, want host:port", text)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("has the port %q, want 0 to 65535", port)
	}
	return nil
}

func checkRange(value, least, most int64) error {
	if value < least || value > most {
		return fmt.Errorf("is %d, want %d to %d", value, least, most)
	}
	return nil
}

func checkDuration(value, least, most time.Duration) error {
	if value < least || value > most {
		return fmt.Errorf("is %s, want %s to %s", value, least, most)
	}
	return nil
}
