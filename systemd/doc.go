// Package systemd speaks sd_notify(3): it notifies the service manager that the process is
// ready, reloading, stopping or alive, and of its status in one line.
//
// It owns the datagram socket in NOTIFY_SOCKET. It never decides whether the process is
// ready or alive: it calls the functions it is given. Without systemd it does nothing.
package systemd
