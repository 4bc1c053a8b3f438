package rig

import (
	"io"
	"net/http"
	"time"
)

// Get asks once, on a connection of its own and for at most 20 s; code 0 is no
// answer, and the text then says why.
func Get(url string) (code int, text string) {
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}
