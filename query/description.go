package query

import (
	_ "embed"
	"net/http"
)

// openAPI describes the API. It is written by hand; TestAnswersMatchDescription keeps it
// true.
//
//go:embed openapi.json
var openAPI []byte

func (s *Server) answerDescription(w http.ResponseWriter, r request) {
	s.description.answer(w, r.Request)
}
