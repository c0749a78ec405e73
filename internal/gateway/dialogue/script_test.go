package dialogue_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// answerSuffix ends the name of what came back.
const answerSuffix = " answer"

// directiveUntil is a header that is not sent: the request is made again until
// the answer has this text, for what takes its time behind the gateway.
const directiveUntil = "X-Until: "

// pace is how often a request is made again.
const pace = 20 * time.Millisecond

// Script is a dialogue: an archive of requests, each followed by its answer.
type Script struct {
	path    string
	archive *txtar.Archive
}

// Open reads a script.
func Open(path string) (*Script, error) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return &Script{path: path, archive: archive}, nil
}

// Turn is a request of a script with both answers to it.
type Turn struct {
	Name    string
	Request string // as it was sent
	Answer  *Answer
	Want    string
	Have    string
}

// Play holds the dialogue with whoever is at the address.
func (s *Script) Play(ctx context.Context, address string, mask *Mask) ([]Turn, error) {
	wanted := map[string]string{}
	for _, file := range s.archive.Files {
		if strings.HasSuffix(file.Name, answerSuffix) {
			wanted[file.Name] = string(file.Data)
		}
	}
	var turns []Turn
	for _, file := range s.archive.Files {
		if strings.HasSuffix(file.Name, answerSuffix) {
			continue
		}
		request, err := mask.Show(string(file.Data))
		if err != nil {
			return turns, fmt.Errorf("%s: %s: %w", s.path, file.Name, err)
		}
		turn := Turn{Name: file.Name, Request: request, Want: wanted[file.Name+answerSuffix]}
		answer, err := insist(ctx, address, turn.Request)
		if err != nil {
			return turns, fmt.Errorf("%s: %s: %w", s.path, file.Name, err)
		}
		turn.Answer, turn.Have = answer, cut(mask.Hide(answer.String()))
		turns = append(turns, turn)
	}
	return turns, nil
}

// insist makes the request once, or until the answer has what is waited for.
func insist(ctx context.Context, address, request string) (*Answer, error) {
	until, plain := directive(request)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		answer, err := Exchange(ctx, address, plain)
		if err != nil || strings.Contains(answer.Body, until) {
			return answer, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("no answer with %q in time; the last one: %s", until, answer.Body)
		}
	}
}

func directive(request string) (until, plain string) {
	before, rest, found := strings.Cut(request, directiveUntil)
	if !found {
		return "", request
	}
	until, rest, _ = strings.Cut(rest, "\n")
	return until, before + rest
}

// Rewrite stores the answers that came in place of those that were wanted.
func (s *Script) Rewrite(turns []Turn) error {
	files := s.archive.Files[:0:0]
	have := map[string]string{}
	for _, turn := range turns {
		have[turn.Name] = turn.Have
	}
	for _, file := range s.archive.Files {
		if strings.HasSuffix(file.Name, answerSuffix) {
			continue
		}
		files = append(files, file, txtar.File{Name: file.Name + answerSuffix, Data: []byte(have[file.Name])})
	}
	return os.WriteFile(s.path, txtar.Format(&txtar.Archive{Comment: s.archive.Comment, Files: files}), 0o600)
}
