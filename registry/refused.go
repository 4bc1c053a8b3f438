package registry

import "errors"

// ErrRefused means that HAProxy rejects a configuration.
var ErrRefused = errors.New("HAProxy refuses the configuration")
