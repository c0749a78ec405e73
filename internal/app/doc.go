// Package app composes Feira: it joins the workers' ports to the adapters and
// runs roles as parts of one lifecycle.
//
// It owns the table of roles, the wiring, the all-in-one process that "feira
// dev" and "feira demo" run, and the operations behind the command line. It
// promises that roles start in order and stop in reverse, that a stop lets
// running work end within its soft stop, and that a setting of the broker that
// differs from what is wanted is reported at start.
//
// It does not decide anything that a worker or the domain could decide, and no
// role learns from it which others share its process.
package app
