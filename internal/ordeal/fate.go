package ordeal

import "pgregory.net/rapid"

// Fate is what becomes of one request on its way to a fake and back.
type Fate string

// Fates.
const (
	FateFine      Fate = "fine"
	FateCutBefore Fate = "cut before"
	FateCutAfter  Fate = "cut after"
	Fate503Before Fate = "503 before"
	Fate503After  Fate = "503 after"
	FateLimited   Fate = "429"
	// FateKillBefore and FateKillAfter kill the worker that sent it, before or
	// after the effect.
	FateKillBefore Fate = "kill before"
	FateKillAfter  Fate = "kill after"
)

// Fates are all of them.
func Fates() []Fate {
	return []Fate{FateFine, FateCutBefore, FateCutAfter, Fate503Before, Fate503After, FateLimited, FateKillBefore, FateKillAfter}
}

// Reaches reports whether the request comes to the fake, and so has its effect.
func (f Fate) Reaches() bool {
	return f == FateFine || f == FateCutAfter || f == Fate503After || f == FateKillAfter
}

// LeavesDoubt reports whether the caller cannot know what became of it.
func (f Fate) LeavesDoubt() bool { return f != FateFine && f != FateLimited }

// MaxLives is how many workers forget a call at most, before one does not.
const MaxLives = 4

// Schedule is what happens to one call.
type Schedule struct {
	// Fates are those of its requests; those beyond them go well.
	Fates []Fate
	// Forgets tells of each life whether the worker dies between an outcome and
	// its writing down.
	Forgets []bool
}

// Draw draws a schedule of at most so many fates, and as many more fine ones to
// draw from as the call makes requests that must go well.
func Draw(t *rapid.T, longest int, fine ...Fate) Schedule {
	return Schedule{
		Fates:   rapid.SliceOfN(rapid.SampledFrom(append(Fates(), fine...)), 0, longest).Draw(t, "fates"),
		Forgets: rapid.SliceOfN(rapid.Bool(), MaxLives, MaxLives).Draw(t, "forget"),
	}
}

// Forgetful reports whether the worker of a life, counted from 0, dies before it
// writes down.
func (s Schedule) Forgetful(life int) bool { return life < MaxLives && s.Forgets[life] }

// Lives is how many workers the call can cost at most.
func (s Schedule) Lives() int { return MaxLives + len(s.Fates) }
