// Package brazil holds what a fake of a Brazilian provider must know of the
// country: reais, taxpayer numbers, postal codes, parcel labels, Pix codes and
// boletos.
//
// It promises that what it makes passes its own checks, and the check digits
// are the real ones, so that a client which checks them too is content. Places
// outside a short list of real addresses are made up, but always the same.
package brazil
