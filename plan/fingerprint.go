package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Fingerprint identifies everything in the plan: the configuration, HAProxy's version,
// what HAProxy's configuration contains of the template and the secrets, and the secret
// for ZooKeeper.
func (pl *Plan) Fingerprint() string {
	configured, err := json.Marshal(pl.Proxy)
	if err != nil {
		panic(err) // plain values always marshal
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%s", configured, pl.ZooKeeper.Auth.Reveal()+pl.ZooKeeper.SASL.Reveal(), pl.Executable, pl.Frame.Version, pl.Render()))
	return hex.EncodeToString(sum[:])
}

// Fits reports whether the running HAProxy of this plan can serve another plan after a
// reload: executable and files are the same.
func (pl *Plan) Fits(other *Plan) bool {
	return pl.Executable == other.Executable && pl.ConfFile == other.ConfFile && pl.PIDFile == other.PIDFile &&
		slices.Equal(pl.SocketFiles, other.SocketFiles)
}
