//go:build !linux

package upstream

import (
	"context"
	"errors"
)

// networkChanges has nobody to ask.
func networkChanges(context.Context) (<-chan struct{}, func(), error) {
	return nil, nil, errors.New("only Linux tells")
}
