package query

// Warnings returns sentences about what the header of instances says of them.
func (a Answer) Warnings() (warnings []string) {
	if a.Header.Get(headerStale) != "" {
		age := ""
		if seconds := a.Header.Get("Age"); seconds != "" {
			age = " for " + seconds + " s"
		}
		warnings = append(warnings, "ZooKeeper or the directory of the instances has been unreachable"+age+": the instances may be out of date")
	}
	if held := a.Header.Get(headerHeld); held != "" {
		warnings = append(warnings, held+" of these instances have deregistered and are held in service: /readyz lists them, haproxy-zk release ends that")
	}
	return warnings
}
