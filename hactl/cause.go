package hactl

// Cause is the reason for a start or reload of HAProxy: one to three words for logs and
// for a metric label. Callers of [Controller.Reload] may pass others than those below.
type Cause string

const (
	// CauseStart is the start of the proxy.
	CauseStart Cause = "start"
	// CauseSlots means that a group has more instances than servers. It is the only
	// cause that may be withdrawn, because instances leave and slots become free.
	CauseSlots Cause = "slots"
	// CauseGroups means that backends of discovered groups are to be added or removed.
	CauseGroups Cause = "groups"
	// CauseMaps means that a worker's map differs from its file and cannot be repaired.
	CauseMaps Cause = "maps"
	// CauseCarry means that a group is to get its servers in another way, or that a backend
	// has servers that only a reload removes.
	CauseCarry Cause = "carry"
	// CauseConfiguration means that another layout was staged.
	CauseConfiguration Cause = "configuration"
	// CauseDied means that a worker of the running generation has died.
	CauseDied Cause = "worker died"
	// CauseSilent means that a worker is alive but no longer accepts updates.
	CauseSilent Cause = "worker does not answer"
)
