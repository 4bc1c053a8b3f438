package rig

import (
	"io"
	"net/http"
	"time"
)

// Get sends one request on a new connection, for 20 s at most. Without an answer the
// code is 0 and the text is the error.
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
