package retain

// Small makes many segments out of little data.
func (c Config) Small() Config {
	c.segmentBytes, c.MaxBytes = 32<<10, 1<<20
	return c
}
