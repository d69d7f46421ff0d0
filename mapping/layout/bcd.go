package layout

import (
	"fmt"
	"math"
)

// fromBCD returns the number whose decimal digits are the hexadecimal ones of u.
func fromBCD(u uint64) (uint64, error) {
	var n uint64
	for shift := 60; shift >= 0; shift -= 4 {
		digit := u >> shift & 0xF
		if digit > 9 {
			return 0, fmt.Errorf("0x%x is not in decimal digits", u)
		}
		n = 10*n + digit
	}
	return n, nil
}

// toBCD is the inverse of fromBCD, for numbers of up to 16 digits.
func toBCD(n uint64) (u uint64) {
	for shift := 0; n > 0; shift += 4 {
		u |= n % 10 << shift
		n /= 10
	}
	return u
}

// mostBCD is the largest number that so many bits of decimal digits hold.
func mostBCD(width uint8) uint64 {
	return uint64(math.Pow10(int(width)/4)) - 1
}
