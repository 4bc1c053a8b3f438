package query

// What the answers of the port have, for those who parse them.
type (
	// GroupDetail is a group in an answer to `?detail`.
	GroupDetail = groupDetail
	// InstanceDetail is an instance in an answer to `?detail`.
	InstanceDetail = instanceDetail
	// SkippedDetail is a child of a group that is not used, in an answer to `?detail`.
	SkippedDetail = skippedDetail
	// WorkerDetail is the server of an instance in one worker.
	WorkerDetail = workerDetail
	// TopInstance is an instance in an answer to `?top`.
	TopInstance = topInstance
	// Condition is the state of a proxy in an answer to /readyz.
	Condition = condition
	// Rejected is the configuration in an answer to /readyz.
	Rejected = rejected
	// Registrations are the findings of a group in an answer to /readyz.
	Registrations = registrations
)

// The states of an instance in an answer to `?detail`, the worst last.
const (
	StateUp       = stateUp
	StateStarting = stateStarting
	StateDrain    = stateDrain
	StateDown     = stateDown
	StateMaint    = stateMaint
	StateHeld     = stateHeld
	StateWaiting  = stateWaiting
)

// What the state of an instance is due to, in an answer to `?detail`.
const (
	ByRegistry    = byRegistry
	ByHealthCheck = byHealthCheck
	ByOperator    = byOperator
	ByAgent       = byAgent
	ByGuard       = byGuard
)
