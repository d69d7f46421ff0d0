// Package configs holds the files that come with the program: the site files with every
// key and with the least, and the templates of devices.
package configs

import "embed"

// Reference is the site file with every key, its default and its range.
//
//go:embed site.yaml
var Reference string

// Minimal is the smallest useful site file.
//
//go:embed minimal.yaml
var Minimal string

// Devices holds the templates, devices/NAME.yaml.
//
//go:embed devices/*.yaml
var Devices embed.FS
