package brazil

import "time"

// Zone is the time that Brazilian providers write without saying so. Brazil has
// had no summer time since 2019.
func Zone() *time.Location { return time.FixedZone("-03", -3*60*60) }
