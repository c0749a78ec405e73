package deployment

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Stage is one FROM of a Dockerfile with what follows it.
type Stage struct {
	From         string
	Name         string
	Instructions []Instruction
}

// Instruction is one line of a Dockerfile, continuations joined.
type Instruction struct {
	Word string // in capitals
	Text string
}

// ParseDockerfile splits a Dockerfile into its stages.
func ParseDockerfile(text string) ([]Stage, error) {
	var stages []Stage
	for _, instruction := range instructions(text) {
		if instruction.Word == "FROM" {
			fields := strings.Fields(instruction.Text)
			stage := Stage{From: fields[0]}
			if len(fields) == 3 && strings.EqualFold(fields[1], "AS") {
				stage.Name = fields[2]
			}
			stages = append(stages, stage)
			continue
		}
		if len(stages) == 0 {
			return nil, fmt.Errorf("reading the Dockerfile: %s before the first FROM", instruction.Word)
		}
		last := &stages[len(stages)-1]
		last.Instructions = append(last.Instructions, instruction)
	}
	if len(stages) == 0 {
		return nil, errors.New("reading the Dockerfile: no FROM")
	}
	return stages, nil
}

func instructions(text string) []Instruction {
	var found []Instruction
	var logical string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if head, ok := strings.CutSuffix(line, `\`); ok {
			logical += head + " "
			continue
		}
		word, rest, _ := strings.Cut(logical+line, " ")
		found = append(found, Instruction{Word: strings.ToUpper(word), Text: strings.TrimSpace(rest)})
		logical = ""
	}
	return found
}

// CheckDockerfile joins what is wrong with the image that the stages make.
func CheckDockerfile(stages []Stage) error {
	faults := checkStages(stages)
	final := stages[len(stages)-1]
	if final.From != "scratch" {
		faults = append(faults, fmt.Errorf("the image is built on %s, want scratch", final.From))
	}
	user := final.last("USER")
	if uid, _, _ := strings.Cut(user, ":"); !regexp.MustCompile(`^[1-9][0-9]*$`).MatchString(uid) {
		faults = append(faults, fmt.Errorf("USER is %q, want a number above 0: scratch knows no names, and root may do too much", user))
	}
	if entry := final.last("ENTRYPOINT"); !strings.HasPrefix(entry, "[") {
		faults = append(faults, fmt.Errorf("ENTRYPOINT is %q, want the form of a list: there is no shell", entry))
	}
	for _, path := range []string{"ca-certificates.crt", "zoneinfo"} {
		if !slices.ContainsFunc(final.Instructions, func(i Instruction) bool { return i.Word == "COPY" && strings.Contains(i.Text, path) }) {
			faults = append(faults, fmt.Errorf("the image has no %s", path))
		}
	}
	return errors.Join(faults...)
}

func checkStages(stages []Stage) []error {
	var faults []error
	if len(stages) < 2 {
		faults = append(faults, errors.New("one stage alone: the image would hold the compiler"))
	}
	var names []string
	var build strings.Builder
	secret := regexp.MustCompile(`(?i)(password|secret|token|_key)[A-Z_]*=`)
	from := regexp.MustCompile(`--from=(\S+)`)
	for _, stage := range stages {
		if stage.From != "scratch" && (!strings.Contains(stage.From, ":") || strings.HasSuffix(stage.From, ":latest")) {
			faults = append(faults, fmt.Errorf("FROM %s is not pinned", stage.From))
		}
		for _, instruction := range stage.Instructions {
			switch {
			case instruction.Word == "ADD":
				faults = append(faults, errors.New("ADD fetches and unpacks; use COPY"))
			case (instruction.Word == "ENV" || instruction.Word == "ARG") && secret.MatchString(instruction.Text+"="):
				faults = append(faults, fmt.Errorf("%s %s: a secret stays in the image for ever", instruction.Word, strings.SplitN(instruction.Text, "=", 2)[0]))
			case instruction.Word == "RUN":
				build.WriteString(instruction.Text + "\n")
			}
			if match := from.FindStringSubmatch(instruction.Text); match != nil && !slices.Contains(names, match[1]) {
				faults = append(faults, fmt.Errorf("COPY --from=%s: there is no such stage before it", match[1]))
			}
		}
		names = append(names, stage.Name)
	}
	for _, flag := range []string{"CGO_ENABLED=0", "-trimpath", "-X main.release="} {
		if !strings.Contains(build.String(), flag) {
			faults = append(faults, fmt.Errorf("the binary is built without %s", flag))
		}
	}
	return faults
}

func (s Stage) last(word string) string {
	text := ""
	for _, instruction := range s.Instructions {
		if instruction.Word == word {
			text = instruction.Text
		}
	}
	return text
}
