// Package configs holds the site files that come with the program: the reference
// of every key and the smallest useful one.
package configs

import _ "embed"

// Reference is the site file with every key, its default and its range.
//
//go:embed site.yaml
var Reference string

// Minimal is the smallest useful site file.
//
//go:embed minimal.yaml
var Minimal string
