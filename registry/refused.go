package registry

import "errors"

// ErrRefused says that HAProxy does not accept a configuration.
var ErrRefused = errors.New("HAProxy refuses the configuration")
