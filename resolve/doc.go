// Package resolve keeps the addresses of host names that instances register: it looks
// each name up, again and again as long as somebody follows it, and keeps the last answer
// while lookups fail. It knows neither registrations nor HAProxy.
package resolve
