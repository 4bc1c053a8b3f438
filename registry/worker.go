package registry

// Worker is a process of the generation of HAProxy that serves.
type Worker struct {
	PID int
	// Socket is the path of a stats socket on which it answers.
	Socket string
}
