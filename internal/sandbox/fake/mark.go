package fake

// Mark stands in every secret that a fake makes, in letters that the alphabets
// of all of them have.
const Mark = "FE1ACA9A21E5C0DE"
