package usage

// StartOfDay is startOfDay for the tests, which put it to days on which the
// clock is put.
var StartOfDay = startOfDay
